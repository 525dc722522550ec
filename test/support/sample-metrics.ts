// A metrics source in which every metric has at least one series, for tests of the exposition and of what queries it.

import type { MetricsSource } from '../../src/observe/exposition.ts';
import { MetricsRegistry } from '../../src/observe/metrics.ts';
import type { RuntimeFigures } from '../../src/observe/runtime-figures.ts';

export function sampleRegistry(): MetricsRegistry {
  const registry = new MetricsRegistry();
  const chat = registry.route('chat');
  chat.handshake('ok', 0.03);
  chat.handshake('backend_timeout', 15);
  registry.unrouted.handshake('no_route', 0.001);
  for (let index = 0; index < 3; index += 1) chat.sessionBegan();
  chat.sessionEnded('client', 'client_close', 1000, 12);
  chat.sessionEnded('proxy', 'drain', 4321, 3601);
  chat.pingRtt.observe(0.02);
  chat.relaxed.add('key');
  chat.http.request(200, 0.02, false);
  chat.http.failed('no_target');
  for (const profile of [chat.profile.fromClient, chat.profile.fromBackend]) {
    profile.recordMessages(64, 1);
    profile.recordMessages(65, 1);
  }
  for (const direction of [chat.fromClient, chat.fromBackend]) {
    direction.textMessages += 1;
    direction.binaryMessages += 1;
    direction.bytes += 129;
    direction.buffered += 10;
    direction.limitHits.add('messages_per_second');
    direction.pause(1_000);
  }
  const users = registry.auth('users');
  users.results.add('good');
  users.duration.observe(0.002);
  users.cache.add('hit');
  const listener = registry.listener('public');
  listener.connectionsOpen = 2;
  listener.connectionsAccepted = 5;
  listener.rejected.add('too_many_sessions');
  listener.tlsHandshakes.add('ok');
  listener.tlsHandshakeDuration.observe(0.01);
  registry.target('chat', 'a').dial('ok', 0.002);
  registry.target('chat', 'a').dial('backend_unreachable', 0.1);
  registry.upstream('chat').retries.add('ok');
  registry.upstream('chat').queueDuration.observe(0.02);
  registry.target('chat', 'a').check('ok', 0.004);
  registry.acmeOrders.add('ok');
  registry.workerExits.add('crashed');
  registry.process.configLoaded(1_700_000_000);
  return registry;
}

export function sampleSource(registry: MetricsRegistry, runtime: RuntimeFigures | null = null): MetricsSource {
  return {
    version: '1.2.3',
    node: 'v24.0.0',
    now: 3_500,
    ready: true,
    draining: false,
    sessionsLimit: 10_000,
    bufferedBytesLimit: Number.POSITIVE_INFINITY,
    memoryBytesLimit: Number.POSITIVE_INFINITY,
    logLinesDropped: 0,
    process: registry.process,
    config: registry.process,
    unrouted: registry.unrouted,
    routes: Array.from(registry.routes(), (metrics) => ({ metrics, sessionsLimit: Number.POSITIVE_INFINITY })),
    upstreams: [{ metrics: registry.upstream('chat'), queued: 2 }],
    targets: Array.from(registry.targets(), (metrics) => ({
      metrics,
      state: 'up',
      up: true,
      sessions: 1,
      sessionsLimit: 50,
    })),
    discoveries: [{ metrics: registry.upstream('chat'), targets: 2, answeredAt: 1_700_000_000_000 }],
    listeners: registry.listeners(),
    certificates: [{ listener: 'public', name: 'a.test', notAfter: 1_800_000_000_000, soonAt: 1_799_000_000_000 }],
    acme: { orders: registry.acmeOrders, renewals: [{ name: 'a.test', at: 1_790_000_000_000 }] },
    auths: registry.auths(),
    revocations: 1,
    runtime,
    workers: { answering: 1, sessions: new Map([[1, 2]]), exits: registry.workerExits },
  };
}
