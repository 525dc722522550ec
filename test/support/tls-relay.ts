// Between a TLS client and a listener: changes what the client sends, puts bytes between, or holds records back so that
// they come in one piece; all below TLS.

import * as net from 'node:net';
import { type ConnectionOptions, connect } from 'node:tls';
import { atTestEnd } from './cleanup.ts';
import { u8, u16 } from './client-hello.ts';

const RECORD_HEADER_BYTES = 5;

export interface RelayRules {
  /** What goes on instead of a chunk of the client; `isFirst`: that with its ClientHello. */
  readonly up?: (chunk: Buffer, isFirst: boolean) => Buffer;
  /** Bytes of the listener that go on to the client: what comes later is swallowed, and it is never answered. */
  readonly downMax?: number;
  /** The client's FIN does not go on. */
  readonly swallowsFin?: boolean;
}

export interface TlsRelay {
  readonly port: number;
  /** To the listener, of the newest connection. */
  inject(bytes: Buffer): void;
  /** RST to the listener. */
  reset(): void;
  /** What goes `up` to the listener, or `down` from it, stays here until it is let go. */
  hold(way: Way): void;
  /** So does what comes behind the first chunk of the next connection: of a listener that is all of its handshake. */
  holdLater(way: Way): void;
  /** Whole records that are held; 0 while one is held in part. */
  heldRecords(way: Way): number;
  /** What is held goes on, in one write, and so does all that comes later. */
  letGo(way: Way): void;
}

type Way = 'up' | 'down';

export async function relayTls(target: number, rules: RelayRules = {}): Promise<TlsRelay> {
  let newest: Record<Way, net.Socket> | null = null;
  const held: Record<Way, Buffer[] | null> = { up: null, down: null };
  const isNextHeld: Record<Way, boolean> = { up: false, down: false };
  const pass = (way: Way, from: net.Socket, to: net.Socket, bytes: Buffer) => {
    if (held[way] !== null) held[way].push(bytes);
    else if (to.writable && !to.write(bytes)) {
      from.pause();
      to.once('drain', () => from.resume());
    }
    if (isNextHeld[way]) held[way] ??= [];
    isNextHeld[way] = false;
  };
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const far = net.connect({ host: '127.0.0.1', port: target, allowHalfOpen: true, noDelay: true });
    newest = { up: far, down: near };
    let isFirst = true;
    let down = 0;
    near.on('data', (chunk: Buffer) => {
      pass('up', near, far, rules.up?.(chunk, isFirst) ?? chunk);
      isFirst = false;
    });
    far.on('data', (chunk: Buffer) => {
      const rest = chunk.subarray(0, Math.max(0, (rules.downMax ?? Number.POSITIVE_INFINITY) - down));
      down += chunk.length;
      if (rest.length > 0) pass('down', far, near, rest);
    });
    near.on('end', () => rules.swallowsFin === true || far.end());
    far.on('end', () => near.end());
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => {});
      one.on('close', () => other.destroy());
      atTestEnd(() => void one.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atTestEnd(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('listens on TCP');
  return {
    port: address.port,
    inject: (bytes) => void newest?.up.write(bytes),
    reset: () => void newest?.up.resetAndDestroy(),
    hold: (way) => {
      held[way] = [];
    },
    holdLater: (way) => {
      isNextHeld[way] = true;
    },
    heldRecords: (way) => countRecords(Buffer.concat(held[way] ?? [])),
    letGo: (way) => {
      newest?.[way].write(Buffer.concat(held[way] ?? []));
      held[way] = null;
    },
  };
}

function countRecords(bytes: Buffer): number {
  let at = 0;
  let count = 0;
  for (; at + RECORD_HEADER_BYTES <= bytes.length; count += 1) at += RECORD_HEADER_BYTES + bytes.readUInt16BE(at + 3);
  return at === bytes.length ? count : 0;
}

/** Records of TLS cut into such of one byte each. */
export function recordsOfOneByte(bytes: Buffer): Buffer {
  const records: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = bytes.readUInt16BE(at + 3);
    for (const byte of bytes.subarray(at + RECORD_HEADER_BYTES, at + RECORD_HEADER_BYTES + size)) {
      records.push(bytes.subarray(at, at + 3), u16(1), u8(byte));
    }
    at += RECORD_HEADER_BYTES + size;
  }
  return Buffer.concat(records);
}

/** The ClientHello of a Node client, in its record. */
export function realHello(options: ConnectionOptions = {}): Promise<Buffer> {
  return new Promise((resolve) => {
    const server = net.createServer((socket) => {
      socket.once('data', (hello: Buffer) => {
        socket.destroy();
        server.close();
        resolve(hello);
      });
    });
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo; // TCP
      const client = connect({ host: '127.0.0.1', port, servername: 'a.test', ...options });
      client.on('error', () => {});
    });
  });
}
