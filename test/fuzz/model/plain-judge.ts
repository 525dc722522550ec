// What must hold of one client's connection of plain requests, whatever it sent: what reached backends is what the
// strict reading finds in its bytes, from the first on, whole, in order; and nothing behind what was refused.

import assert from 'node:assert/strict';
import { type Field, valuesOf } from '../../reference/grammar.ts';
import { nominated, type PlainMessage, readPlain } from '../../reference/plain-request.ts';

export interface PlainTranscript {
  readonly sent: Buffer;
  readonly goodFirst: number;
  /** All that the client got. */
  readonly received: Buffer;
  /** What came on each connection to a backend that was for this client, in their order. */
  readonly backends: readonly Buffer[];
}

export interface PlainSequence {
  readonly messages: readonly PlainMessage[];
  /** What stands behind them. */
  readonly rest: 'nothing' | 'more' | 'fault';
}

export function sequenceOf(bytes: Buffer): PlainSequence {
  const messages: PlainMessage[] = [];
  for (let at = 0; at < bytes.length; ) {
    const reading = readPlain(bytes, at);
    if (reading.kind !== 'message') return { messages, rest: reading.kind };
    messages.push(reading.message);
    at = reading.message.end;
  }
  return { messages, rest: 'nothing' };
}

/** Throws with what was wrong. */
export function judgePlainTalk({ sent, goodFirst, received, backends }: PlainTranscript): void {
  const { messages } = sequenceOf(sent);
  assert(messages.length >= goodFirst, 'the strict reading finds what was made in order');
  const whole = backends.filter((bytes, index) => isWhole(bytes, index === backends.length - 1));
  assert(whole.length >= goodFirst, `${whole.length} of ${goodFirst} good requests reached a backend`);
  whole.forEach((bytes, index) => {
    const want = messages[index];
    assert(want !== undefined, `no request was sent that this is: ${shown(bytes)}`);
    judgeOne(bytes, want);
  });
  const { statuses, rest } = answersOf(received, messages);
  const served = statuses.filter((status) => status === 200).length;
  assert.equal(served, whole.length, `answers ${statuses.join()} to what backends answered`);
  assert(statuses.indexOf(200, served) === -1, `an answer behind a refusal: ${statuses.join()}`);
  assert(statuses.length - served <= 1, `more than one refusal: ${statuses.join()}`);
  assert(rest === '' || statuses.at(-1) === 101, `behind the answers: ${rest}`);
}

/** One that broke off is none: only the last, whose request was refused or cut. */
function isWhole(bytes: Buffer, isLast: boolean): boolean {
  const reading = readPlain(bytes);
  assert(reading.kind !== 'fault', `a backend got no request: ${shown(bytes)}`);
  assert(reading.kind === 'message' || isLast, `a part of a request, and others behind it: ${shown(bytes)}`);
  if (reading.kind === 'message') assert.equal(reading.message.end, bytes.length, `behind a request: ${shown(bytes)}`);
  return reading.kind === 'message';
}

function judgeOne(bytes: Buffer, want: PlainMessage): void {
  const reading = readPlain(bytes);
  assert(reading.kind === 'message');
  const { message: got } = reading;
  assert.equal(got.method, want.method);
  assert.equal(got.target, want.target.replace(/^[a-z]+:\/\/[^/?]*/i, '').replace(/^(?!\/)/, '/'));
  assert.equal(got.version, '1.1');
  assert(got.body.equals(want.body), `another body: ${shown(bytes)}`);
  const isEmpty = want.framing !== 'chunked' && want.body.length === 0;
  if (!isEmpty) assert.equal(got.framing, want.framing);
  assert.deepEqual(ownFields(got.fields, []), ownFields(want.fields, nominated(want.fields)));
  assert.deepEqual(valuesOf(got.fields, 'upgrade'), []);
  assert.deepEqual(valuesOf(got.fields, 'connection'), ['close']);
  assert.equal(valuesOf(got.fields, 'host').length, 1);
}

/** Those that no proxy has to do with. */
function ownFields(fields: readonly Field[], gone: readonly string[]): string[] {
  const lines = fields.map(([name, value]) => [name.toLowerCase(), value] as const);
  return lines
    .filter(([name]) => /^x-fuzz[a-z0-9-]*$/.test(name) && !gone.includes(name))
    .map((line) => line.join(': '));
}

/** The statuses that a client got, without 100, and what it got behind them. */
export function answersOf(
  received: Buffer,
  messages: readonly PlainMessage[],
): { readonly statuses: number[]; readonly rest: string } {
  const text = received.toString('latin1');
  const statuses: number[] = [];
  for (let at = 0; ; ) {
    const [head, status = '', fields = ''] =
      /^HTTP\/1\.1 (\d{3}) [^\r]*\r\n((?:[^\r\n]+\r\n)*)\r\n/.exec(text.slice(at)) ?? [];
    if (head === undefined) return { statuses, rest: text.slice(at, at + 200) };
    at += head.length;
    if (status === '100') continue;
    const isHead = messages[statuses.length]?.method === 'HEAD';
    const length = Number(/^content-length: (\d+)$/im.exec(fields)?.[1] ?? 0);
    statuses.push(Number(status));
    // One of ours to a head that could not be read has its content all the same; it is the last.
    if (!isHead || status >= '400') at += length;
  }
}

function shown(bytes: Buffer): string {
  return JSON.stringify(bytes.toString('latin1', 0, 400));
}
