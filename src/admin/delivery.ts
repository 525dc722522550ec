// Answers on their way to those who asked: in slices, as fast as each client takes them, within a time, and within a
// bound in bytes for all of them. It makes none.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../limits/clock.ts';
import type { Slices } from '../limits/slices.ts';
import { Alarm, type TimerWheel } from '../limits/timer-wheel.ts';
import type { Answer } from './answer.ts';
import { bytesOf, HeldBytes } from './held-bytes.ts';

interface DeliveryOptions {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly slices: Slices;
  /** For an answer to be taken. */
  readonly timeoutMs: number;
}

/** What goes with each answer, whatever is in it. */
export function headersOf(type: string): Readonly<Record<string, string>> {
  return {
    'Content-Type': type,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
    'Cross-Origin-Resource-Policy': 'same-origin',
  };
}

export class Delivery {
  private readonly options: DeliveryOptions;
  private readonly held = new HeldBytes();

  constructor(options: DeliveryOptions) {
    this.options = options;
  }

  send(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
    if (response.headersSent || response.destroyed) return;
    // The rest of a body that was not read is not worth reading.
    const isOver = request.complete;
    response.writeHead(answer.status, {
      ...headersOf(answer.type),
      'Content-Length': bytesOf(answer),
      ...answer.headers,
      ...(isOver ? {} : { Connection: 'close' }),
    });
    this.hold(response, answer);
    const [first, ...rest] = answer.chunks;
    if (request.method === 'HEAD') response.end();
    else if (rest.length === 0) response.end(first);
    else this.write(response, answer.chunks, 0);
  }

  /** Silence is not the only way to be slow: one byte a second would hold the memory of a large answer for hours. */
  private hold(response: ServerResponse, answer: Answer): void {
    const { wheel, clock, timeoutMs } = this.options;
    const late = new Alarm(() => response.destroy());
    wheel.schedule(late, clock.now() + timeoutMs);
    this.held.begin(response, answer);
    response.once('close', () => {
      wheel.cancel(late);
      this.held.end(response);
    });
  }

  /** As much as the client takes, in slices, and on when it has taken that. */
  private write(response: ServerResponse, chunks: readonly Buffer[], start: number): void {
    const goOn = (next: number) => this.write(response, chunks, next);
    const steps = function* (): Generator<void> {
      for (let at = start; at < chunks.length && !response.destroyed; at += 1) {
        if (!response.write(chunks[at]) && at + 1 < chunks.length) {
          // Here and not behind the slice: what drains at once has drained by then.
          response.once('drain', () => goOn(at + 1));
          return;
        }
        yield;
      }
      response.end();
    };
    void this.options.slices.run(steps());
  }
}
