import { describe, expect, test } from 'vitest';
import { Histogram, LogLinearHistogram } from '../../src/observe/histogram.ts';
import { MetricsRegistry, RouteMetrics } from '../../src/observe/metrics.ts';
import { DirectionProfile, RateWindow } from '../../src/observe/profile.ts';
import { codeLabel } from '../../src/observe/session-ends.ts';

describe('histograms with chosen bounds', () => {
  test('a value at a bound counts in its bucket, one above it in the next, one above all in the last', () => {
    const histogram = new Histogram(Float64Array.of(1, 10));
    for (const value of [0, 1, 1.1, 10, 10.1]) histogram.observe(value);
    expect([...histogram.counts]).toEqual([2, 2, 1]);
    expect(histogram.count).toBe(5);
    expect(histogram.sum).toBeCloseTo(22.2);
  });
});

describe('log-linear histograms', () => {
  test('every whole number falls into a bucket whose edge is at most an eighth above it', () => {
    const values = [
      ...Array.from({ length: 5000 }, (_, index) => index),
      2 ** 20 + 1,
      2 ** 31 - 1,
      2 ** 31,
      2 ** 31 + 1,
      2 ** 33 + 7,
      2 ** 39 + 1,
    ];
    for (const value of values) {
      const histogram = new LogLinearHistogram();
      histogram.record(value);
      histogram.record(2 ** 41);
      const edge = histogram.quantile(0.5);
      expect(edge).toBeGreaterThanOrEqual(value);
      expect(edge).toBeLessThanOrEqual(value <= 16 ? value : value * 1.125 + 1);
    }
  });

  test('how many were above a power of two is exact, on both sides of it', () => {
    for (let bits = 0; bits <= 39; bits += 1) {
      const histogram = new LogLinearHistogram();
      for (const value of [2 ** bits - 1, 2 ** bits, 2 ** bits + 1, 2 ** bits * 3]) histogram.record(value);
      expect(histogram.countAbove(2 ** bits)).toBe(2);
    }
  });

  test('nothing is above the largest value seen, and quantiles never exceed it', () => {
    const histogram = new LogLinearHistogram();
    for (let value = 1; value <= 1000; value += 1) histogram.record(value);
    expect(histogram.summary()).toMatchObject({ count: 1000, max: 1000, p999: 1000 });
    expect(histogram.countAbove(1000)).toBe(0);
    expect(histogram.quantile(0.5)).toBeGreaterThanOrEqual(500);
    expect(histogram.quantile(0.5)).toBeLessThanOrEqual(563);
  });

  test('odd values do no harm: none, negative, fractions, beyond the last bucket, not a number', () => {
    const histogram = new LogLinearHistogram();
    expect(histogram.summary()).toEqual({ count: 0, p50: 0, p99: 0, p999: 0, max: 0 });
    for (const value of [-5, 0.5, Number.NaN, 1e300]) histogram.record(value);
    expect(histogram.count).toBe(4);
    expect(histogram.max).toBe(1e300);
    expect(histogram.countAbove(2 ** 40)).toBe(1);
  });
});

test('a peer cannot choose a label: codes become classes', () => {
  const labels = [null, 999, 1000, 1005, 1014, 1015, 2999, 3000, 3999, 4000, 4999, 5000, 65_535].map(codeLabel);
  const classes = ['none', 'none', '1000', '1005', '1014', 'none', 'none', '3xxx', '3xxx', '4xxx', '4xxx', 'none'];
  expect(labels).toEqual([...classes, 'none']);
});

test('pauses count while they last, and once', () => {
  const direction = new RouteMetrics('r').fromClient;
  direction.pause(1_000);
  direction.pause(2_000);
  expect(direction.paused).toBe(2);
  expect(direction.backpressureSeconds(3_000)).toBe(3);
  direction.resume(4_000);
  direction.resume(4_000);
  expect(direction.paused).toBe(0);
  expect(direction.backpressureSeconds(9_000)).toBe(5);
});

test('equal ends are one series', () => {
  const route = new RouteMetrics('r');
  for (const code of [4000, 4001, 1000]) {
    route.sessionBegan();
    route.sessionEnded('client', 'client_close', code, 1);
  }
  expect([...route.ends.all()].map(({ code, count }) => [code, count])).toEqual([
    ['4xxx', 2],
    ['1000', 1],
  ]);
  expect(route.sessionsOpen).toBe(0);
  expect(route.sessionsTotal).toBe(3);
});

test('after a reload only what is configured or in use is kept', () => {
  const registry = new MetricsRegistry();
  registry.route('kept');
  registry.route('gone');
  registry.route('in use').sessionBegan();
  registry.listener('gone');
  registry.upstream('u').retries.add('ok');
  registry.upstream('gone').retries.add('ok');
  registry.upstream('u').rebalanceCloses = 1;
  registry.upstream('v').rebalanceCloses = 1;
  registry.target('u', 'a');
  registry.target('u', 'b');
  const kept = { routes: new Set(['kept']), listeners: new Set<string>() };
  registry.keepOnly({
    ...kept,
    hasAuth: () => false,
    hasUpstream: (name) => name === 'u',
    hasTarget: (upstream, name) => upstream === 'u' && name === 'b',
  });
  expect(['u', 'gone'].map((name) => registry.upstream(name).retries.of('ok'))).toEqual([1, 0]);
  expect(Array.from(registry.routes(), ({ name }) => name)).toEqual(['kept', 'in use']);
  expect([...registry.listeners()]).toEqual([]);
  expect(Array.from(registry.targets(), ({ name }) => name)).toEqual(['b']);
  expect(['u', 'v'].map((name) => registry.upstream(name).rebalanceCloses)).toEqual([1, 0]);
  expect(registry.route('kept')).toBe(registry.route('kept'));
});

test('a busy second begins with the first data after the last one was over', () => {
  const profile = new DirectionProfile();
  const rate = new RateWindow();
  [0, 500, 999, 1000, 5000, 5999].forEach((now, index) => {
    rate.note(profile, index + 1, 10 * (index + 1), now);
  });
  expect(profile.messagesPerSecond.count).toBe(2);
  expect(profile.messagesPerSecond.max).toBe(3);
  rate.flush(profile);
  rate.flush(profile);
  expect(profile.messagesPerSecond.count).toBe(3);
  expect(profile.bytesPerSecond.max).toBe(30);
  rate.note(profile, 6, 160, 9000);
  rate.flush(profile);
  expect(profile.messagesPerSecond.count).toBe(3);
  expect([profile.bytesPerSecond.count, profile.bytesPerSecond.max]).toEqual([4, 100]);
});
