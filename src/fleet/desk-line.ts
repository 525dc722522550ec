// The way from what a worker asks of the primary to what comes of it. Types only.

import type { Clock } from '../limits/clock.ts';
import type { Answer, DeskAsk } from './desk-messages.ts';

/** Takes what comes of a question. */
export type Taker = (answer: Answer) => void;

export interface DeskLine {
  readonly clock: Clock;
  newId(): number;
  post(message: DeskAsk): void;
  /** Who takes what comes of the question `ask`: any number of `parked`, and one of the others. */
  expect(ask: number, taker: Taker): void;
  /** Nobody waits for that any more. */
  forget(ask: number): void;
  /** A client's connection is over. */
  gone(cid: number): void;
}
