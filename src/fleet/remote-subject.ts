// A worker in another process as the primary's admin listener asks it, and the worker's end of that: each question is a
// message, answered within two seconds or not at all.

import type { SubjectQuestions, WorkerSubject } from './worker-subject.ts';

const ANSWER_MS = 2_000;

/** Of a channel: rejects when there is no answer in time, when the process is gone, or when it failed. */
interface Asker {
  ask<Name extends keyof SubjectQuestions>(
    name: Name,
    ask: SubjectQuestions[Name][0],
    ms: number,
  ): Promise<SubjectQuestions[Name][1]>;
}

interface Answerer {
  answer<Name extends keyof SubjectQuestions>(
    name: Name,
    answerer: (ask: SubjectQuestions[Name][0]) => Promise<SubjectQuestions[Name][1]>,
  ): void;
}

/** One process of a worker. */
export interface RemoteWorker extends WorkerSubject {
  /** From 1; one that takes the place of another has its number. */
  readonly worker: number;
  readonly pid: number;
}

interface RemoteOptions {
  readonly worker: number;
  readonly pid: number;
  readonly asks: Asker;
}

export class RemoteSubject implements RemoteWorker {
  readonly worker: number;
  readonly pid: number;
  private readonly asks: Asker;

  constructor({ worker, pid, asks }: RemoteOptions) {
    this.worker = worker;
    this.pid = pid;
    this.asks = asks;
  }

  readonly counts = this.question('counts');
  readonly reading = this.question('reading');
  readonly sessions = this.question('sessions');
  readonly session = this.question('session');
  readonly why = this.question('why');
  readonly websockets = this.question('websockets');
  readonly closeSession = this.question('closeSession');
  readonly closeSessions = this.question('closeSessions');
  readonly extendSession = this.question('extendSession');
  readonly expiry = this.question('expiry');
  readonly revoke = this.question('revoke');
  readonly drainRoute = this.question('drainRoute');
  readonly drainTarget = this.question('drainTarget');

  private question<Name extends keyof WorkerSubject>(name: Name) {
    return (...ask: SubjectQuestions[Name][0]): Promise<SubjectQuestions[Name][1]> => {
      return this.asks.ask(name, ask, ANSWER_MS);
    };
  }
}

/** In the worker: `subject` answers whatever is asked. */
export function answerQuestions(asks: Answerer, subject: WorkerSubject): void {
  asks.answer('counts', (ask) => subject.counts(...ask));
  asks.answer('reading', (ask) => subject.reading(...ask));
  asks.answer('sessions', (ask) => subject.sessions(...ask));
  asks.answer('session', (ask) => subject.session(...ask));
  asks.answer('why', (ask) => subject.why(...ask));
  asks.answer('websockets', (ask) => subject.websockets(...ask));
  asks.answer('closeSession', (ask) => subject.closeSession(...ask));
  asks.answer('closeSessions', (ask) => subject.closeSessions(...ask));
  asks.answer('extendSession', (ask) => subject.extendSession(...ask));
  asks.answer('expiry', (ask) => subject.expiry(...ask));
  asks.answer('revoke', (ask) => subject.revoke(...ask));
  asks.answer('drainRoute', (ask) => subject.drainRoute(...ask));
  asks.answer('drainTarget', (ask) => subject.drainTarget(...ask));
}
