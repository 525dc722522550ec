// Heads for tests, and what the parsers and the judge make of them in every cut.

import assert from 'node:assert/strict';
import {
  type HeadLimits,
  HeadStep,
  type RequestHead,
  RequestHeadParser,
  type ResponseHead,
  type ResponseHeadOptions,
  ResponseHeadParser,
} from '../../src/protocol/http-head.ts';
import { judgeUpgradeRequest, type UpgradeRequest } from '../../src/protocol/upgrade-request.ts';
import { everySplit, placed, type SplitOptions } from '../support/every-split.ts';

export const LIMITS: HeadLimits = { headBytesMax: 16 * 1024, targetBytesMax: 8 * 1024, fieldsMax: 100 };

/** A backend's answer, as strict as by default. */
export const ANSWER: ResponseHeadOptions = { headBytesMax: 16 * 1024, relaxLf: false };

export const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
export const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

/** The fields of a handshake that is in order. */
export const HANDSHAKE = [
  'Host: chat.example.com',
  'Upgrade: websocket',
  'Connection: Upgrade',
  `Sec-WebSocket-Key: ${KEY}`,
  'Sec-WebSocket-Version: 13',
] as const;

/** A request head as latin1 bytes. `without` removes handshake fields by the beginning of their line. */
export function requestText(options: {
  readonly line?: string;
  readonly without?: readonly string[];
  readonly fields?: readonly string[];
}): string {
  const kept = HANDSHAKE.filter((line) => !options.without?.some((start) => line.startsWith(start)));
  return `${[options.line ?? 'GET /chat HTTP/1.1', ...kept, ...(options.fields ?? [])].join('\r\n')}\r\n\r\n`;
}

export type Parsed<Head> =
  | { readonly head: Head }
  | { readonly violation: string; readonly at: number }
  | { readonly more: number };

const ONE_MORE = Buffer.from('x');

interface Parser<Head> {
  feed(bytes: Buffer, start: number, end: number): HeadStep;
  readonly position: number;
  readonly bytesSeen: number;
  readonly violation: string | null;
  readonly head: Head | null;
}

/** Feed pieces until the parser has decided; every buffer is overwritten behind it. */
export function feedAll<Head>(parser: Parser<Head>, pieces: readonly Buffer[]): { parsed: Parsed<Head>; rest: Buffer } {
  let step: HeadStep = HeadStep.NeedData;
  let index = 0;
  let rest = Buffer.alloc(0);
  for (; index < pieces.length && step === HeadStep.NeedData; index += 1) {
    const { bytes, start, end } = placed(pieces[index] ?? rest);
    step = parser.feed(bytes, start, end);
    rest = Buffer.from(bytes.subarray(parser.position, end));
    bytes.fill(0x5a);
  }
  rest = Buffer.concat([rest, ...pieces.slice(index)]);
  if (step === HeadStep.NeedData) return { parsed: { more: parser.bytesSeen }, rest };
  assert(parser.feed(ONE_MORE, 0, 1) === step && parser.position === 0, 'what is decided stays decided');
  if (step === HeadStep.Violation) return { parsed: { violation: parser.violation ?? '', at: parser.bytesSeen }, rest };
  if (parser.head === null) throw new Error('Done without a head');
  return { parsed: { head: parser.head }, rest };
}

function inEveryCut<Head>(make: () => Parser<Head>, bytes: Buffer, options: SplitOptions): Parsed<Head> {
  const { parsed } = feedAll(make(), [bytes]);
  const expected = JSON.stringify(parsed);
  everySplit(
    bytes,
    (pieces, tail) => {
      const result = feedAll(make(), pieces);
      assert.equal(JSON.stringify(result.parsed), expected);
      if ('head' in parsed) assert(result.rest.equals(tail), 'the tail is left untouched');
    },
    'more' in parsed ? { ...options, tail: Buffer.alloc(0) } : options,
  );
  return parsed;
}

/** A long input is cut at some hundred places, a short one everywhere. */
function cuts(bytes: Buffer): SplitOptions {
  return { stride: bytes.length > 1500 ? Math.ceil(bytes.length / 40) : 1 };
}

export function parseRequest(text: string, limits: HeadLimits = LIMITS): Parsed<RequestHead> {
  const bytes = Buffer.from(text, 'latin1');
  return inEveryCut(() => new RequestHeadParser(limits), bytes, cuts(bytes));
}

export function parseResponse(text: string, options: ResponseHeadOptions = ANSWER): Parsed<ResponseHead> {
  const bytes = Buffer.from(text, 'latin1');
  return inEveryCut(() => new ResponseHeadParser(options), bytes, cuts(bytes));
}

/** The slug of whoever refuses the head first, 'ok', or 'more' when it is not complete. */
export function outcome(text: string, limits: HeadLimits = LIMITS): string {
  const parsed = parseRequest(text, limits);
  if ('violation' in parsed) return parsed.violation;
  if ('more' in parsed) return 'more';
  const verdict = judgeUpgradeRequest(parsed.head);
  return verdict.ok ? 'ok' : verdict.slug;
}

export function accepted(text: string): UpgradeRequest {
  const parsed = parseRequest(text);
  if (!('head' in parsed)) throw new Error(`no head: ${JSON.stringify(parsed)}`);
  const verdict = judgeUpgradeRequest(parsed.head);
  if (!verdict.ok) throw new Error(`refused: ${verdict.slug}`);
  return verdict.request;
}

export function answered(text: string): ResponseHead {
  const parsed = parseResponse(text);
  if (!('head' in parsed)) throw new Error(`no head: ${JSON.stringify(parsed)}`);
  return parsed.head;
}
