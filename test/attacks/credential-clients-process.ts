// Clients with credentials, in a process of their own: they come by the clock, each on a connection and from an address
// of its own, say one head, and leave with its answer. Who is let in closes in order.

import { randomBytes } from 'node:crypto';
import * as net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { answerMessages } from '../../bench/support/child-process.ts';
import { closeFrame } from '../support/wire.ts';

export interface CredentialHead {
  /** What its answers are counted by. */
  readonly name: string;
  /**
   * As latin1, with `{text:N}` for base64 of N random bytes in hex, `{base64url:N}` for N random bytes and `{date}` for
   * what the time is.
   */
  readonly text: string;
}

export interface CredentialPlan {
  readonly port: number;
  readonly heads: readonly CredentialHead[];
  /** A second. */
  readonly rate: number;
  readonly seconds: number;
  /** Addresses that they come from, in turn. */
  readonly sources: AddressRange;
}

/** Of 127.0.0.0/16, numbered. */
export interface AddressRange {
  readonly from: number;
  readonly count: number;
}

export interface CredentialReply {
  readonly came: number;
  /** How long they kept coming: longer than planned when the machine is too slow. */
  readonly seconds: number;
  /** By the name of the head: `401 unauthorized` for example, `101`, or how it failed. */
  readonly answers: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Milliseconds from the connect call to the answer. */
  readonly p50: number;
  readonly p99: number;
}

const STEP_MS = 5;
const DEADLINE_MS = 30_000;
const HOSTS = 250;
const CLOSE = closeFrame(1000, '', { mask: true });

answerMessages<CredentialPlan, CredentialReply>(async (plan) => {
  const answers: Record<string, Record<string, number>> = {};
  const times: number[] = [];
  const comers: Promise<void>[] = [];
  const total = Math.round(plan.rate * plan.seconds);
  const startedAt = performance.now();
  const come = async (index: number): Promise<void> => {
    const { name, text } = plan.heads[index % plan.heads.length] ?? { name: '', text: '' };
    const cameAt = performance.now();
    const answer = await visit(plan.port, sourceOf(plan.sources.from + (index % plan.sources.count)), filled(text));
    times.push(performance.now() - cameAt);
    const counts = answers[name] ?? {};
    counts[answer] = (counts[answer] ?? 0) + 1;
    answers[name] = counts;
  };
  while (comers.length < total) {
    const due = Math.min(total, ((performance.now() - startedAt) / 1_000) * plan.rate);
    while (comers.length < due) comers.push(come(comers.length));
    await delay(STEP_MS);
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  await Promise.all(comers);
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor(times.length * share)] ?? 0;
  return { came: total, seconds, answers, p50: at(0.5), p99: at(0.99) };
});

function sourceOf(index: number): string {
  return `127.0.${1 + Math.floor(index / HOSTS)}.${2 + (index % HOSTS)}`;
}

function filled(text: string): string {
  return text.replace(/\{(text|base64url|date)(?::(\d+))?\}/g, (_, what: string, count: string | undefined) => {
    if (what === 'date') return new Date().toUTCString();
    const bytes = randomBytes(Number(count));
    return what === 'text' ? Buffer.from(bytes.toString('hex')).toString('base64') : bytes.toString('base64url');
  });
}

function visit(port: number, localAddress: string, head: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1', localAddress });
    let answer = '';
    const late = setTimeout(() => socket.destroy(new Error('no answer in time')), DEADLINE_MS);
    const over = (how: string) => {
      clearTimeout(late);
      resolve(how);
    };
    socket.on('error', (error: NodeJS.ErrnoException) => over(error.code ?? error.message));
    socket.on('close', () => over(`no answer: ${answer.slice(0, 100)}`));
    socket.on('data', (chunk: Buffer) => {
      if (answer === '101') return;
      answer += chunk.toString('latin1');
      const status = /^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1];
      const slug = /"error":"(\w+)"/.exec(answer)?.[1];
      if (status === '101' && answer.includes('\r\n\r\n')) {
        answer = '101';
        over('101');
        socket.write(CLOSE);
      } else if (status !== undefined && slug !== undefined) {
        over(`${status} ${slug}`);
        socket.destroy();
      }
    });
    socket.write(head, 'latin1');
  });
}
