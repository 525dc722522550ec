import { expect, test } from 'vitest';
import type { Generation, Launch } from '../../src/fleet/generation.ts';
import { type RestartMeans, Restarts } from '../../src/fleet/restarts.ts';
import { Slices } from '../../src/limits/slices.ts';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import type { ListeningSocket } from '../../src/net/listen.ts';
import { Log } from '../../src/observe/log.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { LogTap } from '../support/log-tap.ts';

type Events = Parameters<Launch>[1];

/** A new process that does what the test says. */
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

class Rig {
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

/** Enough turns of promises for all that is under way. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

test('the next one gets sockets and what to go on with; ready, it takes over, and hears who is left', async () => {
  const rig = new Rig();
  const result = rig.restarts.run();
  await settled();
  expect([...rig.next.sockets]).toEqual([['a', { fd: 9, handle: null }]]);
  expect(rig.isSealed).toBe(true);
  const lines = rig.next.told.flatMap((one) => ('lines' in one && Array.isArray(one.lines) ? one.lines : []));
  expect([lines.length, rig.next.told.at(-1)]).toEqual([
    201,
    { kind: 'kept', tickets: { secret: 'AAAA', since: null } },
  ]);
  rig.pass(800);
  expect(rig.handedOver).toBe(0);
  rig.next.events.onMessage({ kind: 'ready' });
  expect(await result).toEqual({ ok: true, pid: 4711, ms: 800 });
  expect([rig.handedOver, rig.isSealed]).toEqual([11, true]);
  const generations = [
    { pid: 2, sessions: 5, state: 'draining' },
    { pid: 1, sessions: 2, state: 'draining' },
  ];
  rig.next.told.length = 0;
  rig.pass(1_000);
  rig.pass(1_000);
  expect(rig.next.told).toEqual([
    { kind: 'before', generations },
    { kind: 'before', generations },
  ]);
  expect(await rig.restarts.run()).toEqual({ ok: false, error: 'draining' });
  rig.restarts.stop();
  expect(rig.wheel.size).toBe(0);
  expect(rig.next.killed).toBe(0);
});

test.each([
  ['it was not ready within 30 s', (rig: Rig) => rig.pass(30_000), 1],
  ['bad config', (rig: Rig) => rig.next.events.onMessage({ kind: 'failed', why: 'bad config' }), 0],
  ['it ended with code 1\nSyntaxError: no', () => {}, 0],
  ['framegate is draining', (rig: Rig) => rig.restarts.abort(), 1],
])('not ready: %s', async (why, happens, killedBefore) => {
  const rig = new Rig();
  const result = rig.restarts.run();
  await settled();
  rig.pass(29_800);
  expect(await rig.restarts.run()).toEqual({ ok: false, error: 'restarting' });
  happens(rig);
  expect(rig.next.killed).toBe(killedBefore);
  rig.next.events.onEnd('it ended with code 1');
  expect(await result).toEqual({ ok: false, error: 'restart_failed', why });
  // What is late counts for nothing, and the next restart is one like the first.
  rig.next.events.onMessage({ kind: 'ready' });
  expect([rig.handedOver, rig.isSealed, rig.wheel.size]).toEqual([0, false, 0]);
  void rig.restarts.run();
  expect(rig.started.length).toBe(2);
  expect(rig.tap.lines.map(({ event, level, ok }) => [event, level, ok])).toEqual([
    ['restart.begin', 'info', undefined],
    ['restart.end', 'error', false],
    ['restart.begin', 'info', undefined],
  ]);
});

test('none begins while it drains, or where nothing can be started', async () => {
  const rig = new Rig();
  rig.isDraining = true;
  expect(await rig.restarts.run()).toEqual({ ok: false, error: 'draining' });
  const other = new Rig({ whyNot: 'from stdin' });
  expect(await other.restarts.run()).toEqual({ ok: false, error: 'not_restartable', why: 'from stdin' });
  expect([rig.started, rig.tap.lines]).toEqual([[], []]);
});
