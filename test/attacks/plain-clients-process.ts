// Clients of plain requests in a process of their own, thousands of them, who do little or nothing with what they hold.

import * as net from 'node:net';
import { answerMessages } from '../../bench/support/child-process.ts';

/** What each of them does once it is connected. */
export type PlainHabit =
  /** One request; behind its answer the connection stays. */
  | 'idle'
  /** A body that is never whole: a byte of it each second. */
  | 'slow_body'
  /** An answer without end, of which nothing is read. */
  | 'deaf'
  /** A stream of events that stays open. */
  | 'events';

export type PlainClientsRequest =
  /** Answers when each of them has got an answer, or has sent what it has to, or is gone. */
  | { readonly kind: 'open'; readonly port: number; readonly habit: PlainHabit; readonly count: number }
  | { readonly kind: 'tally' }
  | { readonly kind: 'leave' };

export interface PlainClientsReply {
  /** Those whose connection is there, in the order in which they came. */
  readonly open: readonly number[];
  /** The statuses that they got, and how often. */
  readonly statuses: Readonly<Record<string, number>>;
}

const AT_ONCE = 32;
const BODY_EACH_MS = 1_000;
const BODY_BYTES = 1_000_000;
/** Of addresses: a limit for each of them is not what this is about. */
const SOURCES = 200;
const HEADS: Readonly<Record<PlainHabit, string>> = {
  idle: 'GET /short HTTP/1.1\r\nHost: a\r\n\r\n',
  slow_body: `POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: ${BODY_BYTES}\r\n\r\nx`,
  deaf: 'GET /endless HTTP/1.1\r\nHost: a\r\n\r\n',
  events: 'GET /events HTTP/1.1\r\nHost: a\r\n\r\n',
};

// At most those of one attack.
const clients: Client[] = [];

answerMessages<PlainClientsRequest, PlainClientsReply>(async (request) => {
  if (request.kind === 'open') await open(request);
  if (request.kind === 'leave') for (const client of clients.splice(0)) client.socket.destroy();
  const statuses: Record<string, number> = {};
  for (const { status } of clients) if (status !== '') statuses[status] = (statuses[status] ?? 0) + 1;
  return { open: clients.flatMap(({ isOpen }, at) => (isOpen ? [at] : [])), statuses };
});

setInterval(() => {
  for (const client of clients) client.dribble();
}, BODY_EACH_MS).unref();

async function open({ port, habit, count }: Extract<PlainClientsRequest, { kind: 'open' }>): Promise<void> {
  for (let from = 0; from < count; from += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, at) => new Client(port, habit, from + at));
    clients.push(...some);
    await Promise.all(some.map((client) => client.isReady));
  }
}

class Client {
  readonly socket: net.Socket;
  readonly isReady: Promise<void>;
  status = '';
  isOpen = false;
  private readonly habit: PlainHabit;

  constructor(port: number, habit: PlainHabit, index: number) {
    this.habit = habit;
    const localAddress = `127.0.${index % SOURCES}.2`;
    const socket = net.connect({ port, host: '127.0.0.1', localAddress, noDelay: true });
    this.socket = socket;
    socket.on('error', () => {});
    if (habit === 'deaf') socket.pause();
    else socket.on('data', (bytes: Buffer) => this.take(bytes));
    this.isReady = new Promise((resolve) => {
      socket.on('connect', () => {
        this.isOpen = true;
        socket.write(HEADS[habit], () => {
          if (habit === 'deaf' || habit === 'slow_body') resolve();
        });
      });
      socket.on('data', () => resolve());
      socket.on('close', () => {
        this.isOpen = false;
        resolve();
      });
    });
    if (habit === 'deaf') socket.pause();
  }

  dribble(): void {
    if (this.habit === 'slow_body' && this.isOpen && this.status === '') this.socket.write('x');
  }

  private take(bytes: Buffer): void {
    if (this.status === '') this.status = bytes.toString('latin1', 9, 12);
  }
}
