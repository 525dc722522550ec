// What the head parser and the judge make of a request, without sockets: whole, byte by byte, and cut in two.

import assert from 'node:assert/strict';
import { RequestHeadParser } from '../../src/protocol/http-head.ts';
import { judgeUpgradeRequest } from '../../src/protocol/upgrade-request.ts';
import { feedAll, LIMITS } from '../protocol/heads.ts';
import { smallPieces } from './cuts.ts';

/** `accepted`, `incomplete`, or the slug of the refusal. */
export type RequestVerdict = string;

/** The whole request in one piece. */
export function requestVerdict(bytes: Buffer): RequestVerdict {
  return verdictOf([bytes]).verdict;
}

/** What stands behind the head of a complete request. */
export function restBehindHead(bytes: Buffer): Buffer {
  return verdictOf([bytes]).rest;
}

function verdictOf(pieces: readonly Buffer[]): { verdict: RequestVerdict; at: number; rest: Buffer } {
  const parser = new RequestHeadParser(LIMITS);
  const { parsed, rest } = feedAll(parser, pieces);
  if ('more' in parsed) return { verdict: 'incomplete', at: parsed.more, rest };
  if ('violation' in parsed) return { verdict: parsed.violation, at: parsed.at, rest };
  const judged = judgeUpgradeRequest(parsed.head);
  return { verdict: judged.ok ? 'accepted' : judged.slug, at: parser.bytesSeen, rest };
}

/** The verdict, the same byte by byte and at each of `cuts`; and what was left behind the head is what stood there. */
export function verdictInCuts(bytes: Buffer, cuts: readonly number[]): RequestVerdict {
  const whole = verdictOf([bytes]);
  const expected = `${whole.verdict} at ${whole.at}`;
  const check = (how: string, pieces: readonly Buffer[]) => {
    const { verdict, at, rest } = verdictOf(pieces);
    assert.equal(`${verdict} at ${at}`, expected, how);
    if (verdict === 'accepted') assert(rest.equals(bytes.subarray(at)), `${how}: bytes behind the head`);
  };
  check('byte by byte', smallPieces(bytes));
  for (const cut of cuts) check(`cut at ${cut}`, [bytes.subarray(0, cut), bytes.subarray(cut)]);
  return whole.verdict;
}
