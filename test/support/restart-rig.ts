// The old side of a restart with a new process that does what a test says, a clock of its own, and its log.

import type { Generation, Launch } from '../../src/fleet/generation.ts';
import { type RestartMeans, Restarts } from '../../src/fleet/restarts.ts';
import { Slices } from '../../src/limits/slices.ts';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import type { ListeningSocket } from '../../src/net/listen.ts';
import { Log } from '../../src/observe/log.ts';
import { FakeClock } from './fake-clock.ts';
import { LogTap } from './log-tap.ts';

type Events = Parameters<Launch>[1];

class FakeNext implements Generation {
  readonly pid = 4711;
  readonly told: object[] = [];
  killed = 0;
  readonly events: Events;
  readonly sockets: ReadonlyMap<string, ListeningSocket>;

  constructor(sockets: ReadonlyMap<string, ListeningSocket>, events: Events) {
    this.sockets = sockets;
    this.events = events;
  }

  send(message: object): void {
    this.told.push(message);
  }

  kill(): void {
    this.killed += 1;
  }

  async explain(): Promise<string> {
    return 'SyntaxError: no';
  }
}

export class RestartRig {
  readonly clock = new FakeClock();
  readonly wheel = new TimerWheel(this.clock);
  readonly tap = new LogTap();
  readonly started: FakeNext[] = [];
  readonly restarts: Restarts;
  isDraining = false;
  isSealed = false;
  handedOver = 0;

  constructor(launch: RestartMeans['launch'] | null = null) {
    const start: Launch = (sockets, events) => {
      const next = new FakeNext(sockets, events);
      this.started.push(next);
      return next;
    };
    const { clock, tap } = this;
    const log = new Log({ level: 'info', format: 'json', lines_per_second: 1e6, clock, destination: tap });
    this.restarts = new Restarts({
      clock: this.clock,
      wheel: this.wheel,
      slices: new Slices({ now: () => 0, nextTurn: (run) => queueMicrotask(run) }),
      log,
      means: {
        launch: launch ?? start,
        before: () => [{ pid: 1, sessions: 2, state: 'draining' }],
        onHandedOver: () => {
          this.handedOver += 1;
        },
      },
      sockets: () => new Map([['a', { fd: 9, handle: null }]]),
      isDraining: () => this.isDraining,
      tickets: () => ({ secret: 'AAAA', since: null }),
      revocations: {
        seal: async () => {
          this.isSealed = true;
        },
        unseal: () => {
          this.isSealed = false;
        },
        *lines() {
          for (let i = 0; i < 201; i++) yield String(i);
        },
      },
      view: () => ({ pid: 2, sessions: 5, state: 'draining' }),
      handOver: () => {
        this.handedOver += 10;
      },
    });
  }

  get next(): FakeNext {
    const next = this.started.at(-1);
    if (next === undefined) throw new Error('nothing was started');
    return next;
  }

  pass(ms: number): void {
    this.clock.advance(ms);
    this.wheel.advance();
  }
}
