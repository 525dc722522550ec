// Figures over time: what happened in a second and in ten, for how long that is kept, and that it costs a fixed memory.

import { describe, expect, test } from 'vitest';
import { jsonPieces } from '../../src/admin/json-pieces.ts';
import type { HistoryView } from '../../src/admin/page-types.ts';
import { FigureKeeper } from '../../src/control/figures.ts';
import { totalsOf } from '../../src/control/totals.ts';
import { atOnce, Slices } from '../../src/limits/slices.ts';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import { MetricsRegistry } from '../../src/observe/metrics.ts';
import type { ProcessView } from '../../src/observe/runtime-metrics.ts';
import { StepHistory } from '../../src/observe/step-history.ts';
import { FakeClock } from '../support/fake-clock.ts';

describe('a history of steps', () => {
  test('holds the last ones, the oldest first, NaN as null', () => {
    const history = new StepHistory(2, 3);
    expect([...history.column(0)]).toEqual([]);
    for (const step of [1, 2, 3]) history.push([step, step === 2 ? Number.NaN : -step]);
    expect([[...history.column(0)], [...history.column(1)]]).toEqual([
      [1, 2, 3],
      [-1, null, -3],
    ]);
    history.push([4, -4]);
    expect([[...history.column(0)], [...history.column(1)], history.length]).toEqual([[2, 3, 4], [null, -3, -4], 3]);
  });

  test('is read as it was when reading began', () => {
    const history = new StepHistory(1, 2);
    history.push([1]);
    history.push([2]);
    const column = history.column(0);
    expect(column.next().value).toBe(1);
    history.push([3]);
    expect([...column]).toEqual([2]);
  });
});

describe('totals', () => {
  test('are those of all routes, listeners and what was refused before a route', () => {
    const metrics = new MetricsRegistry();
    for (const name of ['a', 'b']) {
      const route = metrics.route(name);
      for (let i = 0; i < 3; i += 1) route.sessionBegan();
      route.sessionEnded('client', 'client_close', 1000, 1);
      route.handshake('ok', 0);
      route.handshake('no_target', 0);
      route.fromClient.textMessages = 5;
      route.fromBackend.binaryMessages = 7;
      route.fromClient.limitHit('max_message_size', 1);
      route.limitEnds.add('idle');
      route.pingRtt.observe(0.5);
      route.http.request(200, 1, false);
      route.http.limitEnds.add('response');
    }
    metrics.unrouted.handshake('host', 0);
    // Told by the listener, too.
    metrics.unrouted.handshake('too_many_sessions', 0);
    metrics.listener('x').rejected.add('too_many_sessions');
    const totals = atOnce(totalsOf(metrics, true));
    expect(totals).toMatchObject({ opened: 6, ended: 2, refused: 4, httpRequests: 2, limitHits: 2, pings: 2 });
    expect(totals).toMatchObject({ messagesFromClient: 10, messagesFromBackend: 14, pingSeconds: 1 });
    expect([...totals.ends.values()]).toEqual([{ by: 'client', reason: 'client_close', code: '1000', count: 2 }]);
    expect([...totals.limits.values()]).toEqual([
      { limit: 'max_message_size', from: 'client', hits: 2 },
      { limit: 'idle', from: null, hits: 2 },
      { limit: 'response', from: null, hits: 2 },
    ]);
    expect(atOnce(totalsOf(metrics, false)).ends.size).toBe(0);
  });
});

describe('figures of a proxy', () => {
  function start(processView: ProcessView | null = null) {
    const clock = new FakeClock();
    const wheel = new TimerWheel(clock);
    const metrics = new MetricsRegistry();
    const slices = new Slices({ now: () => clock.now(), nextTurn: queueMicrotask });
    const events: string[] = [];
    const sessions = { size: 0 };
    const wall = { jumped: 1_800_000_000_000 };
    const edge = {
      clock,
      wheel,
      metrics,
      sessions,
      log: { event: (_level: string, event: string) => events.push(event) },
      snapshot: { wallNow: () => clock.now() + wall.jumped },
    };
    const state = () => 'ready' as const;
    const keeper = new FigureKeeper({ edge, slices, processView, pid: 7, state });
    const pass = async (ms: number): Promise<void> => {
      clock.advance(ms);
      wheel.advance();
      await new Promise((resolve) => setImmediate(resolve));
    };
    /** Read at once, which a test may do. */
    const history = () => JSON.parse([...jsonPieces(keeper.history())].join('')) as HistoryView;
    return { keeper, metrics, sessions, wheel, wall, events, pass, history };
  }

  test('are told of each second and of each ten, as what happened in them', async () => {
    const { keeper, metrics, sessions, pass, history } = start();
    keeper.switch(true);
    await pass(0);
    expect(history().seconds.figures.sessions).toEqual([]);
    const route = metrics.route('a');
    for (let second = 1; second <= 10; second += 1) {
      route.sessionBegan();
      sessions.size += 1;
      route.fromClient.bytes += 100 * second;
      await pass(1000);
    }
    const { seconds, tens } = history();
    expect(seconds).toMatchObject({ step_ms: 1000, until: 1_800_001_010_000 });
    expect(seconds.figures.sessions).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(seconds.figures.opened_per_s).toEqual(Array(10).fill(1));
    expect(seconds.figures.bytes_from_client_per_s.at(-1)).toBe(1000);
    expect(seconds.figures.ping_rtt_ms).toEqual(Array(10).fill(null));
    expect(tens).toMatchObject({ step_ms: 10_000, until: 1_800_001_010_000 });
    expect(tens.figures).toMatchObject({ sessions: [10], opened_per_s: [1], bytes_from_client_per_s: [550] });
  });

  test('of a standstill are those of each second of it', async () => {
    const { keeper, metrics, pass, history } = start();
    keeper.switch(true);
    await pass(0);
    for (let i = 0; i < 10; i += 1) metrics.route('a').sessionBegan();
    await pass(5000);
    expect(history().seconds.figures.opened_per_s).toEqual([2, 2, 2, 2, 2]);
  });

  test('are kept for ten minutes each second and for an hour each ten', async () => {
    const { keeper, pass, history } = start();
    keeper.switch(true);
    await pass(0);
    await pass(7_200_000);
    expect([history().seconds.figures.sessions.length, history().tens.figures.sessions.length]).toEqual([600, 360]);
  });

  test('never say that less than nothing happened: a reload drops what a route counted', async () => {
    const { keeper, metrics, pass, history } = start();
    metrics.route('gone').handshake('no_target', 0);
    keeper.switch(true);
    await pass(0);
    const none = new Set<string>();
    metrics.keepOnly({
      routes: none,
      listeners: none,
      hasAuth: () => false,
      hasUpstream: () => false,
      hasTarget: () => false,
    });
    await pass(1000);
    expect(history().seconds.figures.refused_per_s).toEqual([0]);
  });

  test('have one time for one second, until the wall clock is set', async () => {
    const { keeper, wall, pass, history } = start();
    keeper.switch(true);
    await pass(0);
    await pass(1000);
    const { until } = history().seconds;
    wall.jumped += 400;
    await pass(1000);
    expect(history().seconds.until).toBe(until + 1000);
    wall.jumped += 200;
    await pass(1000);
    expect(history().seconds.until).toBe(until + 2600);
  });

  test('are told to whoever waits, ends and limits with them, and cost nothing while off', async () => {
    const { keeper, metrics, wheel, pass } = start();
    expect([keeper.history(), await keeper.next(), wheel.size]).toEqual([null, null, 0]);
    keeper.switch(true);
    await pass(0);
    metrics.route('a').sessionBegan();
    metrics.route('a').sessionEnded('client', 'client_close', 1000, 1);
    const next = keeper.next();
    await pass(1000);
    expect(await next).toMatchObject({
      at: 1_800_001_001_000,
      figures: { opened_per_s: 1, ended_per_s: 1 },
      ends: [{ by: 'client', reason: 'client_close', code: '1000', count: 1 }],
      limits: [],
      workers: [{ pid: 7, state: 'ready', memory_bytes: 0, loop_lag_ms: null }],
    });
    const last = keeper.next();
    keeper.switch(false);
    expect([await last, keeper.history(), wheel.size]).toEqual([null, null, 0]);
  });

  test('of the process: its share of a core, its memory while that can be read, how long it was held up', async () => {
    const used = { cpuMs: 0, rss: 5_000_000 };
    const { keeper, pass, history } = start({
      version: 'v20.0.0',
      cpuUsage: () => ({ user: used.cpuMs * 600, system: used.cpuMs * 400 }),
      memoryUsage: () => {
        if (used.rss === 0) throw new Error('EMFILE');
        return { rss: used.rss, heapTotal: 0, heapUsed: 0, external: 0 };
      },
      getActiveResourcesInfo: () => [],
    });
    keeper.switch(true);
    await pass(0);
    used.cpuMs = 250;
    await pass(1000);
    used.rss = 0;
    await pass(1000);
    const { cpu_share, memory_bytes, loop_lag_ms } = history().seconds.figures;
    expect([cpu_share, memory_bytes]).toEqual([
      [0.25, 0],
      [5_000_000, null],
    ]);
    expect(loop_lag_ms).toEqual([expect.any(Number), expect.any(Number)]);
    keeper.switch(false);
  });
});
