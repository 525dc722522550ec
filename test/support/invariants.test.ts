import { describe, expect, test } from 'vitest';
import { renderMetrics } from '../../src/observe/exposition.ts';
import { MetricsRegistry } from '../../src/observe/metrics.ts';
import {
  type BackendBytes,
  backendFaults,
  byteFaults,
  figuresOf,
  growthFaults,
  logFaults,
  RunWatch,
  restFaults,
} from './invariants.ts';
import type { LogLine } from './log-tap.ts';
import { sampleSource } from './sample-metrics.ts';

function line(event: string, fields: Record<string, unknown> = {}, level = 'info'): LogLine {
  return { time: 't', level, event, ...fields };
}

const open = (session: string) => line('session.open', { session });

function end(session: string, fields: Record<string, unknown> = {}): LogLine {
  const traffic = { from_client: { bytes: 10 }, from_backend: { bytes: 20 } };
  return line('session.end', {
    session,
    path: `/${session}`,
    reason: 'client_close',
    clean: true,
    ...traffic,
    ...fields,
  });
}

describe('the log: each session opened and ended once', () => {
  test('in order, it has no fault', () => {
    expect(logFaults([open('a'), open('b'), end('b'), end('a'), line('config.rejected', {}, 'error')])).toEqual([]);
  });

  test.each<[string, LogLine[], string]>([
    ['no end', [open('a'), open('b'), end('b')], '1 of 1 sessions without session.end, such as a'],
    ['two ends', [open('a'), end('a'), end('a')], 'ended twice: a'],
    ['an end of nothing', [end('a')], 'never opened: a'],
    ['opened twice', [open('a'), open('a'), end('a')], 'opened twice: a'],
    ['opened after its end', [open('a'), end('a'), open('a'), end('a')], 'opened twice: a'],
    ['a fault of our own', [line('session.fault', { session: 'a' }, 'error')], 'an error in the log: '],
  ])('%s is a fault', (_, lines, fault) => {
    expect(logFaults(lines)[0]).toContain(fault);
  });

  test('lines that were counted instead of written are not missed, and no more than those', () => {
    const held = line('log.suppressed', { of: 'session.end', count: 1 }, 'warn');
    expect(logFaults([open('a'), held])).toEqual([]);
    expect(logFaults([open('a'), open('b'), held])).toHaveLength(1);
    const other = line('log.suppressed', { of: 'handshake.refused', count: 9 }, 'warn');
    expect(logFaults([open('a'), other])).toHaveLength(1);
    const opens = line('log.suppressed', { of: 'session.open', count: 1 }, 'warn');
    expect(logFaults([opens, end('a')])).toEqual([]);
  });
});

describe('bytes: what goes in comes out', () => {
  const whole = { client: { sent: 10, received: 20 }, backend: { sent: 20, received: 10 } };

  test('all of it, when both said their Close', () => {
    expect(byteFaults(end('a'), whole)).toEqual([]);
  });

  test.each<[string, typeof whole]>([
    ['lost upwards', { client: { sent: 10, received: 20 }, backend: { sent: 20, received: 9 } }],
    ['lost downwards', { client: { sent: 10, received: 19 }, backend: { sent: 20, received: 10 } }],
    ['never counted', { client: { sent: 11, received: 20 }, backend: { sent: 20, received: 11 } }],
    ['invented', { client: { sent: 10, received: 21 }, backend: { sent: 20, received: 10 } }],
  ])('%s is a fault', (_, account) => {
    expect(byteFaults(end('a'), account)).toHaveLength(1);
  });

  test('cut off, some may be lost on its way, but none invented', () => {
    const cut = end('a', { reason: 'backend_lost', clean: false });
    expect(byteFaults(cut, { client: { sent: 15, received: 5 }, backend: { sent: 25, received: 3 } })).toEqual([]);
    expect(byteFaults(cut, { client: { sent: 15, received: 21 }, backend: { sent: 25, received: 3 } })).toHaveLength(1);
    expect(byteFaults(cut, { client: { sent: 15, received: 5 }, backend: { sent: 19, received: 3 } })).toHaveLength(1);
    const none = end('a', { reason: 'drain', from_backend: { bytes: 1 } });
    expect(byteFaults(none, { client: { sent: 15, received: 0 }, backend: null })).toHaveLength(1);
  });

  test('a policy that drops may drop', () => {
    const dropped = { client: { sent: 10, received: 20 }, backend: { sent: 20, received: 5 } };
    expect(byteFaults(end('a'), { ...dropped, lossy: true })).toEqual([]);
    expect(byteFaults(end('a'), { client: { sent: 9, received: 20 }, backend: null, lossy: true })).toHaveLength(2);
  });
});

describe('metrics at rest', () => {
  function textAfter(happens: (registry: MetricsRegistry) => void): string {
    const registry = new MetricsRegistry();
    const chat = registry.route('chat');
    registry.listener('public');
    for (let i = 0; i < 2; i++) {
      chat.handshake('ok', 0.01);
      chat.sessionBegan();
      chat.sessionEnded('client', 'client_close', 1000, 1);
    }
    chat.handshake('no_target', 0.01);
    for (const status of [200, 503]) chat.http.request(status, 0.01, false);
    chat.http.failed('no_target');
    happens(registry);
    return renderMetrics(sampleSource(registry));
  }

  test('all zero, and as many ends as sessions', () => {
    expect(restFaults(textAfter(() => {}))).toEqual([]);
  });

  test.each<[string, (registry: MetricsRegistry) => void, number]>([
    ['an open connection', (registry) => (registry.listener('public').connectionsOpen = 1), 1],
    ['an open handshake', (registry) => (registry.process.handshakesOpen = 1), 1],
    ['an open session', (registry) => registry.route('chat').sessionBegan(), 4],
    ['a pause', (registry) => registry.route('chat').fromClient.pause(0), 1],
    ['buffered bytes', (registry) => (registry.route('chat').fromBackend.buffered = 1), 1],
    ['bytes given back twice', (registry) => (registry.route('chat').fromBackend.buffered = -1), 1],
    ['a session on a target', (registry) => registry.target('chat', 'a'), 1],
    ['a handshake without a session', (registry) => registry.route('chat').handshake('ok', 0.1), 1],
    ['an open TLS handshake', (registry) => (registry.process.tlsHandshakesOpen = 1), 1],
    ['an open request', (registry) => (registry.process.httpRequestsOpen = 1), 1],
    ['a request given back twice', (registry) => (registry.process.httpRequestsOpen = -1), 1],
    ['a request of no class', (registry) => registry.route('chat').http.duration.observe(1), 1],
    ['a request without its time', (registry) => registry.route('chat').http.requests.add('2xx'), 1],
    ['more errors than requests', ({ unrouted }) => unrouted.http.failed('no_route'), 1],
    ['a session that ended twice', (registry) => registry.route('chat').sessionEnded('proxy', 'idle', 1001, 1), 3],
  ])('%s is a fault', (_, happens, faults) => {
    expect(restFaults(textAfter(happens))).toHaveLength(faults);
  });

  test('a gauge that is not there is a fault', () => {
    const text = textAfter(() => {}).replaceAll('framegate_buffered_bytes', 'framegate_other_bytes');
    expect(restFaults(text)).toEqual(['no metric framegate_buffered_bytes']);
  });
});

describe('what a process holds', () => {
  const before = { descriptors: 20, rssBytes: 100, heapBytes: 50 };
  const bounds = { descriptors: 0, rssBytes: 10, heapBytes: 5 };

  test('may grow up to its bound and shrink at will', () => {
    expect(growthFaults(before, { descriptors: 20, rssBytes: 110, heapBytes: 55 }, bounds)).toEqual([]);
    expect(growthFaults(before, { descriptors: 1, rssBytes: 1, heapBytes: 1 }, bounds)).toEqual([]);
  });

  test.each([{ descriptors: 21 }, { rssBytes: 111 }, { heapBytes: 56 }])('%j is a fault', (grown) => {
    expect(growthFaults(before, { ...before, ...grown }, bounds)).toHaveLength(1);
  });

  test('is read from /proc and its metrics', () => {
    const text = '# HELP nodejs_heap_size_used_bytes x\n# TYPE nodejs_heap_size_used_bytes gauge\n';
    const figures = figuresOf(process.pid, `${text}nodejs_heap_size_used_bytes 7\n`);
    expect(figures.heapBytes).toBe(7);
    expect(figures.descriptors).toBeGreaterThan(3);
    expect(figures.rssBytes).toBeGreaterThan(10 << 20);
    expect(figures.rssBytes).toBeLessThan(10 * process.memoryUsage().rss);
  });
});

describe('a connection of a backend', () => {
  const good: BackendBytes = { heads: 1, switched: false, strayBytes: 0 };

  test('holds one head at most, and nothing behind it before a 101', () => {
    expect(backendFaults(good)).toEqual([]);
    expect(backendFaults({ ...good, heads: 0 })).toEqual([]);
    expect(backendFaults({ ...good, switched: true, strayBytes: 9 })).toEqual([]);
    expect(backendFaults({ ...good, heads: 2 })).toHaveLength(1);
    expect(backendFaults({ ...good, strayBytes: 1 })).toHaveLength(1);
  });
});

describe('a run that is watched', () => {
  function ran(path: string, received = 10): RunWatch {
    const watch = new RunWatch();
    watch.clientBegins(path, { sent: 10, received: 20 });
    watch.backendBegins(path, { sent: 20, received });
    return watch;
  }

  const parts: Readonly<Record<string, (watch: RunWatch) => void>> = {
    client: (watch) => watch.clientEnds('/a', true),
    backend: (watch) => watch.backendEnds('/a'),
    log: (watch) => watch.logLine(end('a')),
  };
  const orders = [
    ['client', 'backend', 'log'],
    ['log', 'backend', 'client'],
    ['backend', 'log', 'client'],
    ['client', 'log', 'backend'],
  ];

  test.each(orders)('settles a session when all three know: %s, %s, %s', (...order) => {
    for (const [received, faults] of [
      [10, 0],
      [9, 1],
    ]) {
      const watch = ran('/a', received);
      watch.logLine(open('a'));
      for (const part of order.slice(0, 2)) parts[part]?.(watch);
      expect([watch.settled, watch.faultCount]).toEqual([0, 0]);
      parts[order[2] ?? '']?.(watch);
      watch.finish(0);
      expect([watch.settled, watch.faultCount]).toEqual([1, faults]);
    }
  });

  test('refused clients leave nothing behind, those who never end are faults', () => {
    const watch = new RunWatch();
    watch.clientBegins('/refused', { sent: 0, received: 0 });
    watch.clientEnds('/refused', false);
    watch.finish(0);
    expect(watch.faults).toEqual([]);
    const left = ran('/a');
    left.finish(0);
    expect(left.faults).toEqual(['a client that is not over: /a', 'a backend connection that is not over: /a']);
  });

  test('two backend sessions for one client, and two clients on one path', () => {
    const watch = ran('/a');
    watch.backendBegins('/a', { sent: 0, received: 0 });
    watch.clientBegins('/a', { sent: 0, received: 0 });
    expect(watch.faults).toEqual(['two backend sessions for one client: /a', 'a path twice: /a']);
  });

  test('lines lost on their way are not missed', () => {
    const watch = new RunWatch();
    watch.logLine(open('a'));
    watch.finish(1);
    expect(watch.faultCount).toBe(0);
    watch.finish(0);
    expect(watch.faultCount).toBe(1);
  });

  test('counts all faults and keeps the first', () => {
    const watch = new RunWatch();
    for (let i = 0; i < 60; i++) watch.logLine(line('x', { i }, 'error'));
    watch.backendConnection({ heads: 2, switched: true, strayBytes: 0 });
    expect([watch.faultCount, watch.faults.length]).toEqual([61, 50]);
    expect(watch.faults[0]).toContain('"i":0');
  });
});
