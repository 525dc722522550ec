// What is said of rounds of bad credentials: the answers, what an open session felt, who was asked, and whether that is
// as it has to be.

import type { Task } from '../scale/demand.ts';
import type { AuthServerReply } from './auth-server-process.ts';
import type { BadKind } from './bad-credentials.ts';
import type { AddressRange, CredentialReply } from './credential-clients-process.ts';
import { echoText } from './echo-meter.ts';
import type { EchoReply } from './echo-process.ts';

/** Handshakes a second, in full size. */
export const RATE = 1_000;
const RATE_SHARE_MIN = 0.9;
/** Two p99 that differ by less are the same. */
const RESOLUTION_MS = 0.5;
export const UNAUTHORIZED = '401 unauthorized';
const TOO_MANY = '429 too_many_auth_failures';
/** The default of `auth_failures_per_minute_per_ip`. */
const FAILURES = 60;

export type Limit = 'off' | 'default';

/** One kind under one limit. */
export interface Part {
  readonly kind: BadKind;
  readonly limit: Limit;
  /** Of both. */
  readonly name: string;
  readonly sources: AddressRange;
}

export interface Round {
  readonly came: CredentialReply;
  readonly echoes: EchoReply;
  /** Of the proxy, milliseconds. */
  readonly cpuMs: number;
}

/** Milliseconds, of handshakes. */
export interface LookUps {
  readonly quiet: number[];
  readonly bad: number[];
}

export function judgeAnswers(
  { findings, isFull }: Task,
  { kind, limit, name, sources }: Part,
  { bad, seconds }: { readonly bad: readonly Round[]; readonly seconds: number },
): void {
  const answers = answersOf(bad);
  const isLimited = limit === 'default' && kind.isCounted;
  const known = new Set([UNAUTHORIZED, ...kind.answers, ...(isLimited ? [TOO_MANY] : [])]);
  const strange = Object.keys(answers).filter((answer) => !known.has(answer));
  findings.check(`${name}: the answers`, strange.length === 0, JSON.stringify(answers));
  const rate = cameOf(bad) / bad.reduce((sum, { came }) => sum + came.seconds, 0);
  if (isFull) findings.check(`${name}: they come`, rate >= RATE_SHARE_MIN * RATE, `${Math.round(rate)} a second`);
  if (!isLimited) return;
  const most = Math.round(sources.count * FAILURES * (1 + seconds / 60));
  const heard = answers[UNAUTHORIZED] ?? 0;
  const refused = answers[TOO_MANY] ?? 0;
  findings.check(`${name}: at most ${most} are heard`, heard <= most, `${heard}`);
  if (isFull) findings.check(`${name}: and then none`, refused > heard, `${refused} are not`);
}

export function judgeEchoes(
  task: Task,
  { kind: { factor }, name }: Part,
  { quiet, bad }: { readonly quiet: readonly Round[]; readonly bad: readonly Round[] },
): void {
  const [before, during] = [quiet, bad].map((rounds) => median(rounds.map(({ echoes }) => echoes.p99)));
  if (before === undefined || during === undefined) return;
  const most = factor * before + RESOLUTION_MS;
  const seen = `${during.toFixed(2)} ms, quiet ${before.toFixed(2)} ms`;
  // A short look beside other work says nothing.
  if (task.isFull) task.findings.check(`${name}: p99 at most ${most.toFixed(2)} ms`, during <= most, seen);
  else task.findings.figure(`${name}: p99`, seen);
}

export function judgeLookUps(task: Task, name: string, most: number, { quiet, bad }: LookUps): void {
  const longest = Math.max(...bad);
  const seen = `${longest.toFixed(1)} ms of ${bad.length} handshakes, quiet ${Math.max(...quiet).toFixed(1)} ms`;
  if (task.isFull) task.findings.check(`${name}: look-ups within ${most} ms`, longest <= most, seen);
  else task.findings.figure(`${name}: look-ups`, seen);
}

export function judgeAsked(
  { findings }: Task,
  { kind, name }: Part,
  { asked, mostAlike, atOnce }: AuthServerReply,
  { came, seconds }: { readonly came: number; readonly seconds: number },
): void {
  if (kind.asks === null) return;
  const { path, keptMs } = kind.asks;
  const count = asked[path] ?? 0;
  const most = keptMs === 0 ? came : Math.ceil((seconds * 1_000) / keptMs) + 1;
  const seen = `${count}, ${atOnce} at once, ${mostAlike} alike`;
  findings.check(`${name}: the authorization server is asked at most ${most} times`, count <= most, seen);
  if (keptMs === 0) findings.check(`${name}: and the same once`, mostAlike <= 1, String(mostAlike));
}

export function answersOf(rounds: readonly Round[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { came } of rounds)
    for (const counts of Object.values(came.answers))
      for (const [answer, count] of Object.entries(counts)) sums[answer] = (sums[answer] ?? 0) + count;
  return sums;
}

export function cameOf(rounds: readonly Round[]): number {
  return rounds.reduce((sum, { came }) => sum + came.came, 0);
}

export function roundText({ came, echoes, cpuMs }: Round): string {
  const each = `${(cpuMs / came.came).toFixed(3)} ms of CPU each`;
  return `${echoText(echoes)}; ${each}, answered in p50 ${came.p50.toFixed(1)} ms, p99 ${came.p99.toFixed(1)} ms`;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
