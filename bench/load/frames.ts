// The bytes a load generator sends and expects: upgrade request, masked frames, their echoes. Written from RFC 6455
// alone and importing nothing of src/, so that the bench cannot share a misreading with what it measures.

/** One key for all: what a key protects against does not exist here, and its answer is then a constant. */
export const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
export const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

const FIN_BINARY = 0x82;
const FIN_CLOSE = 0x88;
const FIN_PONG = 0x8a;
const MASK = 0x80;

/** `fields`: more of them, each with its CR LF. */
export function upgradeRequest(host: string, path: string, fields = ''): Buffer {
  return Buffer.from(
    `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n${fields}\r\n`,
    'latin1',
  );
}

/** Null when `head` is a good 101; else what is wrong with it. */
export function faultOfSwitch(head: string): string | null {
  const [status = '', ...lines] = head.split('\r\n');
  if (!status.startsWith('HTTP/1.1 101')) return `expected a 101, got "${status.slice(0, 80)}"`;
  const accept = lines.find((line) => /^sec-websocket-accept:/i.test(line));
  return accept?.slice(accept.indexOf(':') + 1).trim() === ACCEPT ? null : 'a wrong Sec-WebSocket-Accept';
}

/** Bytes of a payload that only session `seed` has: a foreign or shifted byte shows. */
export function payloadOf(seed: number, length: number): Buffer {
  const payload = Buffer.allocUnsafe(length);
  let state = (seed * 2654435761 + 0x9e3779b9) >>> 0;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    payload[i] = state >>> 24;
  }
  return payload;
}

/** A whole binary message as a client sends it. */
export function maskedFrame(payload: Buffer, key: number): Buffer {
  const header = frameHeader(payload.length, true);
  const frame = Buffer.concat([header, payload]);
  const at = header.length;
  frame.writeUInt32BE(key >>> 0, at - 4);
  for (let i = 0; i < payload.length; i++) {
    frame[at + i] = (frame[at + i] ?? 0) ^ (frame[at - 4 + (i & 3)] ?? 0);
  }
  return frame;
}

/** The same message as a server sends it. */
export function plainFrame(payload: Buffer): Buffer {
  return Buffer.concat([frameHeader(payload.length, false), payload]);
}

/** A Close with code 1000, masked with the key 0. */
export function closeFrame(): Buffer {
  return Buffer.from([FIN_CLOSE, MASK | 2, 0, 0, 0, 0, 0x03, 0xe8]);
}

/** A sign of life: no proxy insists on the payload of its ping. Masked with the key 0. */
export function pongFrame(): Buffer {
  return Buffer.from([FIN_PONG, MASK, 0, 0, 0, 0]);
}

function frameHeader(length: number, masked: boolean): Buffer {
  const mask = masked ? MASK : 0;
  const room = masked ? [0, 0, 0, 0] : [];
  if (length < 126) return Buffer.from([FIN_BINARY, mask | length, ...room]);
  if (length < 65_536) return Buffer.from([FIN_BINARY, mask | 126, length >> 8, length & 255, ...room]);
  const header = Buffer.from([FIN_BINARY, mask | 127, 0, 0, 0, 0, 0, 0, 0, 0, ...room]);
  header.writeUInt32BE(length, 6);
  return header;
}
