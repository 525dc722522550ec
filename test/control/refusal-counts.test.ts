import { expect, test } from 'vitest';
import { loadObject } from '../../src/config/load.ts';
import { capInputs, refusalsByCause } from '../../src/control/refusal-counts.ts';
import { MetricsRegistry } from '../../src/observe/metrics.ts';

function times(count: number, add: () => void): void {
  for (let time = 0; time < count; time += 1) add();
}

test('refusals are summed up by cause over routes and listeners, the most frequent first, each once', () => {
  const metrics = new MetricsRegistry();
  times(3, () => metrics.unrouted.handshakes.add('no_route'));
  times(2, () => metrics.route('a').handshakes.add('too_many_handshakes'));
  times(3, () => metrics.route('b').handshakes.add('too_many_handshakes'));
  times(9, () => metrics.route('a').handshakes.add('ok'));
  metrics.route('a').handshakes.add('client_gone');
  // A connection over max_sessions is counted at its listener, and again when it is told so.
  times(4, () => metrics.listener('in').rejected.add('too_many_sessions'));
  times(2, () => metrics.unrouted.handshakes.add('too_many_sessions'));
  // A route's own cap is told in the same words.
  metrics.route('a').handshakes.add('too_many_sessions');
  expect(Object.entries(refusalsByCause(metrics))).toEqual([
    ['too_many_handshakes', 5],
    ['too_many_sessions', 5],
    ['no_route', 3],
  ]);
});

test('caps of the process know the most there was at a time, and what they themselves refused', () => {
  const metrics = new MetricsRegistry();
  const { process } = metrics;
  times(7, () => {
    process.handshakesOpen += 1;
  });
  times(5, () => {
    process.handshakesOpen -= 1;
  });
  process.handshakesWaiting = 3;
  process.handshakesWaiting = 0;
  process.peaks.connections = 40;
  process.peaks.buffered = 5000;
  times(4, () => metrics.listener('in').rejected.add('too_many_sessions'));
  metrics.route('a').handshakes.add('too_many_sessions');
  times(2, () => metrics.route('a').fromClient.limitHit('max_handshakes', 0));
  metrics.route('b').fromClient.limitHit('max_waiting_handshakes', 0);
  metrics.route('b').fromBackend.limitHit('max_buffered_total', 9000);
  const { limits } = loadObject({ routes: [{ upstream: 'builtin:echo' }] }, { baseDir: '.' }).config;
  const caps = capInputs(metrics, { ...limits, max_handshakes: 7, max_buffered_total: 8000 }, 50);
  expect(caps.map(({ key, value, peak, refused }) => [key, value, peak, refused])).toEqual([
    ['limits.max_sessions', 50, 40, 4],
    ['limits.max_handshakes', 7, 7, 2],
    ['limits.max_waiting_handshakes', 4000, 3, 1],
    ['limits.max_buffered_total', 8000, 5000, 1],
  ]);
});
