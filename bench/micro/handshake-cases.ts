// What a handshake costs before any socket: parsing the head of a request as a browser sends it, and judging it.

import { HeadStep, type RequestHead, RequestHeadParser } from '../../src/protocol/http-head.ts';
import { judgeUpgradeRequest } from '../../src/protocol/upgrade-request.ts';
import { KEY } from '../load/frames.ts';
import type { MicroCase } from './micro-case.ts';

const LIMITS = { headBytesMax: 16_384, targetBytesMax: 8_192, fieldsMax: 100 };
const REPEATS = 50;
const SEGMENT_BYTES = 64;

const BROWSER = [
  'GET /chat/room-42?token=0123456789abcdef&since=1700000000 HTTP/1.1',
  'Host: chat.example.com',
  'Connection: Upgrade',
  'Pragma: no-cache',
  'Cache-Control: no-cache',
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
  'Upgrade: websocket',
  'Origin: https://chat.example.com',
  'Sec-WebSocket-Version: 13',
  'Accept-Encoding: gzip, deflate, br, zstd',
  'Accept-Language: en-US,en;q=0.9',
  'Cookie: session=3f2a9c1e7b5d4860a1c2e3f405162738; theme=dark',
  `Sec-WebSocket-Key: ${KEY}`,
  'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits',
  'Sec-WebSocket-Protocol: chat.v2, chat.v1',
];

export function cases(): readonly MicroCase[] {
  const head = Buffer.from(`${BROWSER.join('\r\n')}\r\n\r\n`, 'latin1');
  const fields = BROWSER.length - 1;
  const parsed = parse(head, head.length);
  if (parsed === null) throw new Error('the head of the bench is refused');
  const work = { unit: 'head', operations: REPEATS, bytes: REPEATS * head.length };
  return [
    { name: 'head parser: in one piece', ...work, expected: REPEATS * fields, run: () => parseAll(head, head.length) },
    {
      name: `head parser: in pieces of ${SEGMENT_BYTES} B`,
      ...work,
      expected: REPEATS * fields,
      run: () => parseAll(head, SEGMENT_BYTES),
    },
    { name: 'handshake judge', ...work, bytes: 0, expected: REPEATS, run: () => judgeAll(parsed) },
  ];
}

function parseAll(head: Buffer, pieceBytes: number): number {
  let fields = 0;
  for (let i = 0; i < REPEATS; i++) fields += parse(head, pieceBytes)?.fields.length ?? 0;
  return fields;
}

function parse(head: Buffer, pieceBytes: number): RequestHead | null {
  const parser = new RequestHeadParser(LIMITS);
  let step: HeadStep = HeadStep.NeedData;
  for (let from = 0; from < head.length && step === HeadStep.NeedData; from += pieceBytes) {
    step = parser.feed(head, from, Math.min(head.length, from + pieceBytes));
  }
  return step === HeadStep.Done ? parser.head : null;
}

function judgeAll(head: RequestHead): number {
  let accepted = 0;
  for (let i = 0; i < REPEATS; i++) {
    const verdict = judgeUpgradeRequest(head);
    if (verdict.ok && verdict.request.key === KEY && verdict.request.protocols.length === 2) accepted += 1;
  }
  return accepted;
}
