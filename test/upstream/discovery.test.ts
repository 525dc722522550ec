// What all kinds of discovery share: what is held, what an empty answer means, and what of failures is told.

import { describe, expect, test } from 'vitest';
import type { TargetConfig, UpstreamConfig } from '../../src/config/types.ts';
import { Log } from '../../src/observe/log.ts';
import { MetricsRegistry } from '../../src/observe/metrics.ts';
import { type Answer, Discovery, type Finder, type FinderListener } from '../../src/upstream/sources/discovery.ts';
import { FOUND_MAX } from '../../src/upstream/sources/held-list.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { LogTap } from '../support/log-tap.ts';
import { targetConfig, upstreamConfig, upstreamMeans } from '../support/upstreams.ts';

class FakeFinder implements Finder {
  readonly kind = 'fake';
  listener: FinderListener | null = null;
  stopped = 0;

  start(listener: FinderListener): void {
    this.listener = listener;
  }

  stop(): void {
    this.stopped += 1;
  }
}

class Rig {
  readonly clock = new FakeClock();
  readonly tap = new LogTap();
  readonly metrics = new MetricsRegistry();
  readonly finder = new FakeFinder();
  readonly discovery: Discovery;
  /** Each list that was told. */
  readonly told: string[] = [];

  constructor(change: Partial<UpstreamConfig> = {}, before: readonly TargetConfig[] = []) {
    const { clock, tap, metrics } = this;
    const log = new Log({ level: 'debug', format: 'json', lines_per_second: 1e6, clock, destination: tap });
    const config = upstreamConfig({ targets: [], hold: 60_000, empty: 'keep', ...change });
    this.discovery = new Discovery(config, this.finder, upstreamMeans({ clock, log, metrics }));
    const onTargets = (targets: readonly TargetConfig[]) => this.told.push(targets.map(({ name }) => name).join(' '));
    this.discovery.start({ onTargets }, { targets: before, answeredAt: null });
  }

  answer(names: string, more: Partial<Answer> = {}): void {
    const targets = names.split(' ').flatMap((name) => (name === '' ? [] : [targetConfig(name)]));
    this.finder.listener?.onAnswer({ targets, leftOut: [], ...more });
  }

  fail(error: string): void {
    this.finder.listener?.onFailure({ error });
  }

  get list(): string {
    return this.told.at(-1) ?? 'nothing told';
  }

  get errors(): number {
    return this.metrics.upstream('chat').discoveryErrors;
  }

  events(): unknown[] {
    return this.tap.lines.map(({ event }) => event);
  }
}

describe('hold', () => {
  test('a target is gone when it was missing for that long, in two answers at least', () => {
    const rig = new Rig();
    rig.answer('a b');
    rig.answer('b');
    rig.clock.advance(59_999);
    rig.answer('b');
    expect(rig.list).toBe('a b');
    rig.clock.advance(1);
    rig.answer('b');
    expect(rig.list).toBe('b');
  });

  test('one answer is not enough, however late it comes', () => {
    const rig = new Rig();
    rig.answer('a b');
    rig.clock.advance(600_000);
    rig.answer('b');
    expect(rig.list).toBe('a b');
    rig.clock.advance(60_000);
    rig.answer('b');
    expect(rig.list).toBe('b');
  });

  test('failures are no answers; an answer that has it again begins anew', () => {
    const rig = new Rig();
    rig.answer('a b');
    rig.answer('b');
    rig.clock.advance(70_000);
    rig.fail('ETIMEOUT');
    expect(rig.list).toBe('a b');
    rig.answer('a b');
    rig.answer('b');
    rig.clock.advance(59_999);
    rig.answer('b');
    expect(rig.list).toBe('a b');
  });

  test('0: the first answer without it counts', () => {
    const rig = new Rig({ hold: 0 });
    rig.answer('a b');
    rig.answer('b');
    expect(rig.list).toBe('b');
  });

  test('samples of a large pool add up to all of it, in an order that stays', () => {
    const rig = new Rig();
    for (let round = 0; round < 9; round += 1) {
      rig.answer(['a b', 'c b', 'd a'][round % 3] ?? '');
      rig.clock.advance(30_000);
    }
    expect(rig.list).toBe('a b c d');
  });

  test('what was found before is held as what it found itself', () => {
    const rig = new Rig({}, [targetConfig('x'), targetConfig('y')]);
    rig.answer('y');
    expect(rig.list).toBe('x y');
    rig.clock.advance(60_000);
    rig.answer('y');
    expect(rig.list).toBe('y');
  });

  test('a flood of names: no more are missed than an answer may have, the latest of them', () => {
    const rig = new Rig();
    const names = (round: number) => Array.from({ length: FOUND_MAX }, (_, at) => `${round}-${at}`).join(' ');
    for (let round = 0; round < 4; round += 1) {
      rig.answer(names(round));
      rig.clock.advance(1);
    }
    expect(rig.discovery.status.targets).toBe(2 * FOUND_MAX);
    expect(rig.list.split(' ').filter((name) => /^[23]-/.test(name))).toHaveLength(2 * FOUND_MAX);
  });
});

describe('an answer without any target', () => {
  test('keep: it is a failure, with its reason', () => {
    const rig = new Rig({ hold: 0 });
    rig.answer('a');
    rig.answer('', { absence: 'ENOTFOUND' });
    expect([rig.list, rig.told.length, rig.errors]).toEqual(['a', 1, 1]);
    expect(rig.tap.lines).toMatchObject([
      { level: 'warn', event: 'discovery.failed', upstream: 'chat', source: 'fake', error: 'ENOTFOUND', targets: 1 },
    ]);
  });

  test('allow: it is an answer, and what was found is held as ever', () => {
    const rig = new Rig({ empty: 'allow' });
    rig.answer('a');
    rig.answer('');
    expect(rig.list).toBe('a');
    rig.clock.advance(60_000);
    rig.answer('');
    expect([rig.list, rig.errors, rig.tap.lines]).toEqual(['', 0, []]);
  });
});

describe('failures', () => {
  test('change nothing; the first is told, then none until it works again, which is told', () => {
    const rig = new Rig();
    rig.answer('a');
    rig.clock.advance(5_000);
    for (const error of ['ETIMEOUT', 'ESERVFAIL', 'ETIMEOUT']) rig.fail(error);
    const { clock } = rig;
    expect(rig.discovery.status).toEqual({
      kind: 'fake',
      targets: 1,
      answeredAt: clock.now() - 5_000,
      failing: { since: clock.now(), error: 'ETIMEOUT' },
    });
    clock.advance(1_000);
    rig.answer('a');
    expect([rig.discovery.status.answeredAt, rig.discovery.status.failing, rig.errors]).toEqual([clock.now(), null, 3]);
    expect(rig.tap.lines).toMatchObject([
      { event: 'discovery.failed', error: 'ETIMEOUT' },
      { level: 'info', event: 'discovery.ok', upstream: 'chat', source: 'fake', failing_ms: 1_000 },
    ]);
    rig.fail('ESERVFAIL');
    expect(rig.events()).toEqual(['discovery.failed', 'discovery.ok', 'discovery.failed']);
  });

  test('what is left out of good answers is told once, and again when it is something else', () => {
    const rig = new Rig();
    const leftOut = ['127.0.0.1: no', '::1: no'];
    rig.answer('a', { leftOut });
    rig.answer('a', { leftOut: leftOut.toReversed() });
    rig.answer('a', { leftOut: ['127.0.0.1: no'] });
    rig.answer('a');
    expect(rig.tap.lines).toMatchObject([
      { level: 'warn', event: 'discovery.left_out', count: 2, left_out: leftOut },
      { event: 'discovery.left_out', count: 1 },
    ]);
    expect([rig.errors, rig.discovery.status.failing]).toEqual([3, null]);
  });
});

test('what comes after its end counts for nothing', () => {
  const rig = new Rig();
  rig.answer('a');
  const late = rig.finder.listener;
  rig.discovery.stop();
  late?.onAnswer({ targets: [], leftOut: ['x'] });
  late?.onFailure({ error: 'x' });
  expect([rig.told, rig.errors, rig.finder.stopped, rig.tap.lines]).toEqual([['a'], 0, 1, []]);
});
