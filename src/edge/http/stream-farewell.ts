// When an event stream ends because of a drain: it has no end of its own, and a browser asks for it again
// (HTML 9.2.3). All else may end by itself.

import type { Clock } from '../../limits/clock.ts';
import { Alarm, type TimerWheel } from '../../limits/timer-wheel.ts';

interface Means {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
}

const EVENT_STREAM = /^text\/event-stream *(?:;|$)/i;

export class StreamFarewell {
  private readonly means: Means;
  private readonly alarm: Alarm;
  private isStream = false;
  /** Should it be one. */
  private at = Number.POSITIVE_INFINITY;

  constructor(means: Means, onDue: () => void) {
    this.means = means;
    this.alarm = new Alarm(onDue);
  }

  /** `type`: what the answer says that it is. */
  noteAnswer(method: string, type: string): void {
    // By POST it is mostly the answer to that one, and nobody asks for it again.
    this.isStream = method === 'GET' && EVENT_STREAM.test(type);
    this.await();
  }

  drain(spreadMs: number): void {
    // At random: they are not to come back all at once.
    this.at = this.means.clock.now() + Math.random() * spreadMs;
    this.await();
  }

  stop(): void {
    this.isStream = false;
    this.means.wheel.cancel(this.alarm);
  }

  private await(): void {
    if (this.isStream) this.means.wheel.schedule(this.alarm, this.at);
  }
}
