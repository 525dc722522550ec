// Questions over a channel, each with its answer and a deadline. A side that is gone answers nothing: whoever waits is
// told so.

import { Alarm, type TimerWheel } from '../limits/timer-wheel.ts';

/** Questions by name: what is asked, and what comes back. */
type QuestionMap = { readonly [Name in string]: readonly [ask: unknown, answer: unknown] };

/** Why there is no answer. */
export class NoAnswer extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'NoAnswer';
  }
}

export type AskMessage =
  | readonly ['ask', id: number, question: string, ask: unknown]
  | readonly ['answer', id: number, answer: unknown]
  /** `why`: it threw. */
  | readonly ['no_answer', id: number, why: string];

interface AsksOptions {
  readonly wheel: TimerWheel;
  readonly now: () => number;
  post(message: AskMessage): void;
}

interface Waiting {
  readonly alarm: Alarm;
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

/** `Mine`: what this side asks. `Theirs`: what it is asked. */
export class Asks<Mine extends QuestionMap, Theirs extends QuestionMap> {
  private readonly options: AsksOptions;
  /** Each has its deadline. */
  private readonly waiting = new Map<number, Waiting>();
  /** By question: what answers it, which both sides know by the same types. */
  private readonly answerers = new Map<string, unknown>();
  private lastId = 0;
  private isClosed = false;

  constructor(options: AsksOptions) {
    this.options = options;
  }

  /** Rejects with NoAnswer: after `ms`, when the other side is gone, or when it failed. */
  ask<Name extends keyof Mine & string>(name: Name, ask: Mine[Name][0], ms: number): Promise<Mine[Name][1]> {
    if (this.isClosed) return Promise.reject(new NoAnswer('gone'));
    this.lastId += 1;
    const id = this.lastId;
    const { wheel, now, post } = this.options;
    return new Promise((resolve, reject) => {
      const alarm = new Alarm(() => this.settle(id)?.reject(new NoAnswer(`no answer within ${ms} ms`)));
      const told = (answer: unknown): void => resolve(answer as Mine[Name][1]); // of the question that it is for
      this.waiting.set(id, { alarm, resolve: told, reject });
      wheel.schedule(alarm, now() + ms);
      post(['ask', id, name, ask]);
    });
  }

  /** Who answers that question, at once or later. */
  answer<Name extends keyof Theirs & string>(
    name: Name,
    answerer: (ask: Theirs[Name][0]) => Theirs[Name][1] | Promise<Theirs[Name][1]>,
  ): void {
    if (this.answerers.has(name)) throw new Error(`${name} has somebody who answers it`);
    this.answerers.set(name, answerer);
  }

  async onAsk(id: number, name: string, ask: unknown): Promise<void> {
    const { post } = this.options;
    try {
      const answerer = this.answerers.get(name) as ((ask: unknown) => unknown) | undefined;
      if (answerer === undefined) throw new Error(`nobody answers ${name}`);
      post(['answer', id, await answerer(ask)]);
    } catch (error) {
      post(['no_answer', id, error instanceof Error ? error.message : String(error)]);
    }
  }

  onAnswer(id: number, answer: unknown): void {
    this.settle(id)?.resolve(answer);
  }

  onNoAnswer(id: number, why: string): void {
    this.settle(id)?.reject(new NoAnswer(why));
  }

  /** The other side is gone. */
  close(): void {
    this.isClosed = true;
    for (const id of [...this.waiting.keys()]) this.settle(id)?.reject(new NoAnswer('gone'));
  }

  /** An answer that comes too late finds nobody. */
  private settle(id: number): Waiting | null {
    const one = this.waiting.get(id) ?? null;
    if (one === null) return null;
    this.waiting.delete(id);
    this.options.wheel.cancel(one.alarm);
    return one;
  }
}
