import { expect, test } from 'vitest';
import type { AddAsk, DumpAsk } from '../../src/observe/counted.ts';
import { MetricsRegistry } from '../../src/observe/metrics.ts';
import { Random } from '../support/random.ts';

const FULL: DumpAsk = { now: 0, inFull: true };
const THERE: AddAsk = { now: 0, isGone: false };

/** As it comes out of a channel between processes. */
function told(registry: MetricsRegistry, ask: DumpAsk = FULL) {
  return structuredClone([...registry.dump(ask)].filter((part) => part !== null));
}

function sumOf(registries: readonly MetricsRegistry[]): MetricsRegistry {
  const sum = new MetricsRegistry();
  for (const one of registries) for (const part of told(one)) sum.addPart(part, THERE);
  return sum;
}

/** Something of all that can be counted, each time something else. */
function count(to: MetricsRegistry, step: number): void {
  const route = to.route(`r${step % 3}`);
  const seconds = (step % 40) / 8;
  for (const one of [route, to.unrouted]) one.handshake(step % 2 === 0 ? 'ok' : 'no_route', seconds);
  route.sessionBegan();
  route.sessionEnded('client', 'credential_expired', 1000 + (step % 20), step % 90);
  route.limitEnds.add('idle');
  route.relaxed.add('origin');
  route.clients.add(`192.0.2.${step % 7}`);
  route.pingRtt.observe(seconds);
  route.profile.recordHandshake(step, step * 2, step * 3);
  route.profile.recordQuiet(step * 7);
  route.profile.recordSession(step * 1000);
  for (const [direction, profile] of [
    [route.fromClient, route.profile.fromClient],
    [route.fromBackend, route.profile.fromBackend],
  ] as const) {
    direction.textMessages += step;
    direction.binaryMessages += 1;
    direction.bytes += step * 100;
    direction.buffered += step;
    direction.limitHit('max_message_size', step * 11);
    direction.pause(step);
    if (step % 2 === 0) direction.resume(step + 8);
    profile.recordMessages(step * 100, 2);
    profile.recordFragments(3);
    profile.recordSecond(step, step * 9);
    profile.recordSilence(step);
    profile.recordStall(step);
    profile.recordBacklog(step);
    profile.recordWriteStall(step);
  }
  route.http.request(step % 2 === 0 ? 200 : 0, seconds, false);
  route.http.failed('upgrade_required');
  route.http.limitEnds.add('open');
  route.http.bodySize.record(step * 5);
  route.http.responseTime.record(step);
  const listener = to.listener('public');
  listener.connectionsOpen += 1;
  listener.connectionsAccepted += 2;
  listener.rejected.add('too_many_sessions');
  listener.tlsHandshakes.add('ok');
  listener.tlsHandshakeDuration.observe(seconds);
  const auth = to.auth('keys');
  auth.results.add('good');
  auth.duration.observe(seconds);
  auth.cache.add('hit');
  const upstream = to.upstream('u');
  upstream.discoveryErrors += 1;
  upstream.rebalanceCloses += 2;
  upstream.retries.add('ok');
  upstream.queueDuration.observe(seconds);
  const target = to.target('u', `t${step % 2}`);
  target.dial('ok', seconds);
  target.upgraded(seconds);
  target.check('timeout', seconds);
  target.ejections += 1;
  to.acmeOrders.add('ok');
  to.workerExits.add('crashed');
  to.process.httpRequestsOpen += 1;
  to.process.tlsHandshakesOpen += 1;
  to.process.handshakesOpen += 1;
  to.process.handshakesWaiting += 1;
}

test('what is counted by several and added up is what one would have counted', () => {
  const one = new MetricsRegistry();
  const several = [new MetricsRegistry(), new MetricsRegistry(), new MetricsRegistry()];
  const random = new Random(16);
  for (let step = 1; step < 300; step += 1) {
    count(one, step);
    count(several[random.between(0, several.length - 1)] ?? one, step);
  }
  const sum = sumOf(several);
  // There is no telling whether they were at one time.
  for (const key of ['connections', 'handshakes', 'waiting', 'buffered'] as const) {
    expect(sum.process.peaks[key]).toBe(Math.max(...several.map(({ process }) => process.peaks[key])));
    sum.process.peaks[key] = one.process.peaks[key];
  }
  expect(sum).toEqual(one);
});

test('the sample counts something of all that there is of a route', () => {
  const counted = new MetricsRegistry();
  count(counted, 1);
  counted.process.peaks.connections = 3;
  counted.process.peaks.buffered = 4;
  const untouched = (of: object, path: string): string[] =>
    Object.entries(of).flatMap(([key, value]: [string, unknown]) => {
      const here = `${path}.${key}`;
      if (value instanceof Map || value instanceof Set) return value.size === 0 ? [here] : [];
      if (typeof value === 'number') return value === 0 ? [here] : [];
      return typeof value === 'object' && value !== null && !ArrayBuffer.isView(value) ? untouched(value, here) : [];
    });
  const route = counted.route('r1');
  expect(untouched(route, 'route').filter((path) => !path.endsWith('.pauseMs'))).toEqual(['route.sessionsOpen']);
});

test('what nobody used is not told, and distributions only when they are asked for', () => {
  const registry = new MetricsRegistry();
  registry.route('idle');
  registry.listener('idle');
  registry.target('u', 'idle');
  expect(told(registry)).toEqual([]);
  count(registry, 5);
  const [full, short] = [FULL, { ...FULL, inFull: false }].map((ask) => JSON.stringify(told(registry, ask)).length);
  expect(short).toBeLessThan((full ?? 0) / 2);
});

test('pauses last as long as they do, whatever the clocks of the processes say', () => {
  const worker = new MetricsRegistry();
  worker.route('r').fromClient.pause(1_000_000);
  const sum = new MetricsRegistry();
  for (const part of told(worker, { now: 1_002_000, inFull: false })) sum.addPart(part, { now: 50, isGone: false });
  const { fromClient } = sum.route('r');
  expect(fromClient.paused).toBe(1);
  expect(fromClient.backpressureSeconds(50)).toBe(2);
  expect(fromClient.backpressureSeconds(1050)).toBe(3);
});

test('of a process that is gone there is what it has counted, and nothing that it had open', () => {
  const gone = new MetricsRegistry();
  count(gone, 3);
  gone.route('r0').sessionBegan();
  const sum = new MetricsRegistry();
  for (const part of told(gone, { now: 4, inFull: true })) sum.addPart(part, { now: 9, isGone: true });
  const route = sum.route('r0');
  expect(route).toMatchObject({
    sessionsOpen: 0,
    sessionsTotal: 2,
    fromClient: { bytes: 300, buffered: 0, paused: 0 },
  });
  expect(route.fromClient.backpressureSeconds(9000)).toBe(0.001);
  expect(sum.listener('public')).toMatchObject({ connectionsOpen: 0, connectionsAccepted: 2 });
  const { handshakesOpen, handshakesWaiting, httpRequestsOpen, tlsHandshakesOpen } = sum.process;
  expect([handshakesOpen, handshakesWaiting, httpRequestsOpen, tlsHandshakesOpen]).toEqual([0, 0, 0, 0]);
});

test('facts of the config are not added up: each process knows the same ones', () => {
  const worker = new MetricsRegistry();
  worker.process.reloaded(1234);
  worker.process.reloadRejected();
  const sum = sumOf([worker]);
  expect(sum.process).toMatchObject({ configLoadedAt: 0, lastReloadSuccessful: true });
  expect([...sum.process.reloads.entries()]).toEqual([]);
});
