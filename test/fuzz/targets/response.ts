// What a backend answers: the parser of response heads, the judge of the 101, and the body of a refusal. Accepted:
// what a second, simple reader makes of the same bytes, and towards the client only heads that it reads as meant.

import assert from 'node:assert/strict';
import { type ResponseHead, ResponseHeadParser } from '../../../src/protocol/http-head.ts';
import { buildRelayedRefusal, REFUSAL_BODY_MAX, relayedRefusalFields } from '../../../src/protocol/refusal-body.ts';
import { BodyStep, ResponseBody } from '../../../src/protocol/response-body.ts';
import { buildClientSwitch, judgeUpgradeResponse } from '../../../src/protocol/upgrade-response.ts';
import { ACCEPT, ANSWER, feedAll, KEY } from '../../protocol/heads.ts';
import { valuesOf } from '../../reference/grammar.ts';
import {
  endToEnd,
  type ReferenceBody,
  type ReferenceResponse,
  referenceBody,
  referenceResponse,
  switchFault,
} from '../../reference/response.ts';
import type { Random } from '../../support/random.ts';
import { HEAD_TOKENS } from '../attacks.ts';
import { cutsOf, inBoundedTime } from '../cuts.ts';
import { bytesTarget } from '../fuzz-target.ts';
import { mutate } from '../mutate.ts';

const SLUGS = [...['bare_lf', 'bare_cr', 'ctl', 'obs_fold', 'header_name', 'head_too_large', 'status_line']];
/** The first byte chooses. */
const SETUPS = [ANSWER, { headBytesMax: 400, relaxLf: false }, { headBytesMax: 4096, relaxLf: true }] as const;
const ASKED = {
  key: KEY,
  protocols: ['chat', 'superchat'],
  extensions: ['permessage-deflate; server_max_window_bits=12; client_max_window_bits', 'permessage-deflate'],
  relax: [],
};

export const response = bytesTarget({ name: 'response', make, check });

const TOKENS = [
  ...HEAD_TOKENS,
  'HTTP/1.1 101\r\n',
  'HTTP/1.0 101 x\r\n',
  'HTTP/1.1 304 Not Modified\r\n',
  'HTTP/1.1 204 \r\n',
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 600 x\r\n',
  'Content-Encoding: gzip\r\n',
  'Connection: X-A\r\n',
  'Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=12\r\n',
  'Sec-WebSocket-Protocol: superchat\r\n',
  '1;a=b\r\nx\r\n',
  '0\r\n\r\n',
  '0;\r\nX: y\r\n\r\n',
  'fffffff\r\n',
  '0000000\r\n',
  '10000\r\n',
];

function make(random: Random): Buffer {
  const setup = Buffer.of(random.chance(0.85) ? 0 : 1);
  const answer = random.chance(0.5) ? upgraded(random) : refused(random);
  return Buffer.concat([setup, random.chance(0.7) ? mutate(random, answer, TOKENS) : answer]);
}

function upgraded(random: Random): Buffer {
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
  lines.push(`Sec-WebSocket-Accept: ${ACCEPT}`);
  if (random.chance(0.3)) lines.push('Sec-WebSocket-Protocol: chat');
  if (random.chance(0.3)) lines.push('Sec-WebSocket-Extensions: permessage-deflate');
  if (random.chance(0.3)) lines.push('Set-Cookie: a=b', 'X-A:\t\xe9 ');
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), random.bytes(random.between(0, 9))]);
}

function refused(random: Random): Buffer {
  const body = random.bytes(random.chance(0.02) ? random.between(65_000, 66_000) : random.between(0, 200));
  const lines = [
    `HTTP/1.${random.pick([1, 1, 1, 0])} ${random.pick([200, 302, 304, 401, 403, 404, 500, 503])} Any Words`,
  ];
  if (random.chance(0.5)) lines.push('Content-Type: text/html', 'Connection: close, X-A', 'X-A: b', 'Keep-Alive: 5');
  const kind = random.between(0, 2);
  if (kind === 0) lines.push(`Content-Length: ${body.length}`);
  if (kind === 1) lines.push('Transfer-Encoding: chunked');
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`);
  return Buffer.concat([head, kind === 1 ? chunked(random, body) : body]);
}

function chunked(random: Random, body: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const data = body.subarray(at, at + random.between(1, 100));
    at += data.length;
    const extension = random.chance(0.2) ? ';a="b"' : '';
    parts.push(Buffer.from(`${data.length.toString(16)}${extension}\r\n`), data, Buffer.from('\r\n'));
  }
  return Buffer.concat([...parts, Buffer.from(`0\r\n${random.chance(0.2) ? 'X-Trailer: y\r\n' : ''}\r\n`)]);
}

function check(input: Buffer): void {
  const limits = SETUPS[(input[0] ?? 0) % SETUPS.length] ?? ANSWER;
  const bytes = input.subarray(1);
  const read = (cut: readonly Buffer[]) => feedAll(new ResponseHeadParser(limits), cut);
  const { parsed, rest } = inBoundedTime(() => read([bytes]));
  for (const cut of cutsOf(bytes)) assert.deepEqual(read(cut).parsed, parsed, `in ${cut.length} pieces`);
  const expected = referenceResponse(bytes, limits);
  if ('violation' in parsed) assert(SLUGS.includes(parsed.violation), `unknown slug ${parsed.violation}`);
  if (!('head' in parsed) || expected === null) {
    assert.equal('head' in parsed, expected !== null, JSON.stringify(parsed));
    return;
  }
  const { head } = parsed;
  const fields = head.fields.map(({ name, value }): [string, string] => [name, value]);
  const minor = head.version === '1.0' ? 0 : 1;
  assert.deepEqual({ headBytes: bytes.length - rest.length, minor, status: head.status, fields }, expected);
  assert(rest.equals(bytes.subarray(expected.headBytes)), 'bytes behind the head were touched');
  if (head.status === 101) checkSwitch(head, expected);
  else checkRefusal(head, expected, rest);
}

function checkSwitch(head: ResponseHead, expected: ReferenceResponse): void {
  const verdict = judgeUpgradeResponse(head, ASKED);
  assert.equal(verdict.ok, switchFault(expected, ASKED) === null, verdict.ok ? 'accepted' : verdict.cause);
  if (!verdict.ok) return;
  const { protocol, extensions, fields } = verdict;
  const told = referenceResponse(buildClientSwitch({ key: KEY, protocol, extensions, fields }), {
    headBytesMax: 64 * 1024,
    relaxLf: false,
  });
  assert(told !== null && switchFault(told, ASKED) === null, 'the client is told of the switch');
  const handshake = /^(upgrade|connection|sec-websocket-(accept|protocol|extensions))$/i;
  const others = (list: readonly (readonly [string, string])[]) => list.filter(([name]) => !handshake.test(name));
  assert.deepEqual(others(told.fields), others(endToEnd(expected)));
  const named = (head: ReferenceResponse) =>
    valuesOf(head.fields, 'sec-websocket-protocol').flatMap((value) => value.split(/[\t ]*,[\t ]*/).filter(Boolean));
  assert.deepEqual(named(told), named(expected));
}

function checkRefusal(head: ResponseHead, expected: ReferenceResponse, rest: Buffer): void {
  const body = referenceBody(expected, rest);
  for (const cut of cutsOf(rest)) {
    const found = inBoundedTime(() => bodyOf(head, cut));
    assert.deepEqual(found, body, `the body in ${cut.length} pieces`);
  }
  if (body.kind === 'invalid') return;
  const bytes = body.kind === 'whole' ? body.bytes : Buffer.alloc(0);
  const relayed = buildRelayedRefusal({ status: head.status, fields: relayedRefusalFields(head), body: bytes });
  const told = referenceResponse(relayed, { headBytesMax: 64 * 1024, relaxLf: false });
  assert(told !== null, 'the refusal that goes on is a response');
  assert.equal(told.status, head.status);
  assert.deepEqual(valuesOf(told.fields, 'content-length'), head.status === 304 ? [] : [String(bytes.length)]);
  assert.deepEqual(valuesOf(told.fields, 'connection'), [head.status === 426 ? 'Upgrade, close' : 'close']);
  assert.deepEqual(valuesOf(told.fields, 'upgrade'), head.status === 426 ? ['websocket'] : []);
  assert(relayed.subarray(told.headBytes).equals(bytes), 'the body that goes on');
  const isFraming = ([name]: readonly [string, string]) => /^(content-length|connection|upgrade)$/i.test(name);
  const isCoding = ([name]: readonly [string, string]) => bytes.length === 0 && /^content-encoding$/i.test(name);
  const kept = endToEnd(expected).filter((field) => !isCoding(field));
  assert.deepEqual(
    told.fields.filter((field) => !isFraming(field)),
    kept,
  );
}

function bodyOf(head: ResponseHead, cut: readonly Buffer[]): ReferenceBody {
  const body = new ResponseBody(head, REFUSAL_BODY_MAX);
  let step = body.feed(Buffer.alloc(0), 0, 0);
  for (const piece of cut) {
    const bytes = Buffer.from(piece);
    step = body.feed(bytes, 0, bytes.length);
    bytes.fill(0x5a);
  }
  step = body.end();
  if (step === BodyStep.Violation) return { kind: 'invalid' };
  assert.equal(step, BodyStep.Done, 'a body ends with its connection');
  return body.dropped ? { kind: 'dropped' } : { kind: 'whole', bytes: body.bytes() };
}
