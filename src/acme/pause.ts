// A wait by the one clock, which ends early when what it is for is given up.

import type { Clock } from '../limits/clock.ts';
import { Alarm, type TimerWheel } from '../limits/timer-wheel.ts';
import type { AbortLike } from '../net/abort.ts';
import { AcmeError } from './acme-error.ts';

interface PauseMeans {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
}

/** Rejects with AcmeError when `signal` is told. */
export function pause(ms: number, { clock, wheel }: PauseMeans, signal: AbortLike): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      wheel.cancel(alarm);
      signal.removeEventListener('abort', give);
    };
    const give = (): void => {
      end();
      reject(new AcmeError('aborted', 'given up'));
    };
    const alarm = new Alarm(() => {
      end();
      resolve();
    });
    signal.addEventListener('abort', give);
    if (signal.aborted) give();
    else wheel.schedule(alarm, clock.now() + ms);
  });
}
