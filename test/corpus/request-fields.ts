// The fields that a handshake is decided by, or that decide where a message ends, with a value that is in order and one
// that is not the same; and requests with one of them replaced.

import { KEY, requestText } from '../protocol/heads.ts';

export interface SubjectField {
  readonly name: string;
  /** What a handshake may have there; of fields that it may not have, what they mostly hold. */
  readonly value: string;
  /** What would change the outcome, if somebody believed it. */
  readonly other: string;
}

export const FIELDS: readonly SubjectField[] = [
  { name: 'Host', value: 'chat.example.com', other: 'evil.example' },
  { name: 'Upgrade', value: 'websocket', other: 'h2c' },
  { name: 'Connection', value: 'Upgrade', other: 'close' },
  { name: 'Sec-WebSocket-Key', value: KEY, other: 'AAAAAAAAAAAAAAAAAAAAAA==' },
  { name: 'Sec-WebSocket-Version', value: '13', other: '8' },
  { name: 'Sec-WebSocket-Protocol', value: 'chat', other: 'superchat' },
  { name: 'Sec-WebSocket-Extensions', value: 'permessage-deflate', other: 'x-other' },
  { name: 'Origin', value: 'https://chat.example.com', other: 'https://evil.example' },
  { name: 'Authorization', value: 'Basic eDp5', other: 'Basic YTpi' },
  { name: 'Cookie', value: 'a=b', other: 'c=d' },
  { name: 'Content-Length', value: '0', other: '5' },
  { name: 'Transfer-Encoding', value: 'chunked', other: 'identity' },
  { name: 'Expect', value: '100-continue', other: 'x' },
  { name: 'TE', value: 'trailers', other: 'chunked' },
  { name: 'Trailer', value: 'Host', other: 'X-A' },
  { name: 'HTTP2-Settings', value: 'AAMAAABkAAQAoAAAAAIAAAAA', other: '' },
  { name: 'X-Forwarded-For', value: '192.0.2.1', other: '127.0.0.1' },
  { name: 'X-Plain', value: 'abc', other: 'def' },
];

/** A valid upgrade with `line`, whatever it is, in place of the field of that name. */
export function withFieldLine(name: string, line: string): string {
  return requestText({ without: [`${name}:`], fields: [line] });
}

export function withField(name: string, value: string): string {
  return withFieldLine(name, `${name}: ${value}`);
}
