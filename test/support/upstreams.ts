// Upstreams and targets without sockets: configs with every default, and means that a test may replace.

import { loadObject } from '../../src/config/load.ts';
import type { TargetConfig, UpstreamConfig } from '../../src/config/types.ts';
import { TargetLists } from '../../src/control/target-lists.ts';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import { Carrier } from '../../src/net/carrier.ts';
import { Dialer } from '../../src/net/dial.ts';
import { DnsRounds } from '../../src/net/dns.ts';
import { Resolver } from '../../src/net/resolve.ts';
import { Log } from '../../src/observe/log.ts';
import { MetricsRegistry } from '../../src/observe/metrics.ts';
import { CheckTurns } from '../../src/upstream/health/check-turns.ts';
import type { UpstreamMeans } from '../../src/upstream/means.ts';
import { FolderWatches } from '../../src/upstream/sources/folder-watches.ts';
import { Target, type TargetSettings, type TargetTold } from '../../src/upstream/target.ts';
import { FakeClock } from './fake-clock.ts';

export function upstreamMeans(own: Partial<UpstreamMeans> = {}): UpstreamMeans {
  const clock = own.clock ?? new FakeClock();
  const wheel = own.wheel ?? new TimerWheel(clock, 1);
  const { log: config } = loadObject({ routes: [{ upstream: 'builtin:echo' }] }, { baseDir: '.' }).config;
  const lists = new TargetLists({});
  return {
    clock,
    wheel,
    log: new Log({ ...config, clock, destination: { write() {} } }),
    metrics: new MetricsRegistry(),
    dialer: new Dialer({ resolver: new Resolver(clock), wheel, clock, carrier: new Carrier('stream') }),
    dns: new DnsRounds({ clock, wheel }),
    folders: new FolderWatches(),
    readTargets: (bytes, path) => lists.read(bytes, path),
    checkTurns: new CheckTurns(),
    random: Math.random,
    ...own,
  };
}

export function targetConfig(name: string, change: Partial<TargetConfig> = {}): TargetConfig {
  const endpoint = { kind: 'tcp', host: `${name}.test`, port: 1, secure: false, base: '' } as const;
  const url = `ws://${name}.test:1`;
  return { name, url, endpoint, weight: 1, max_sessions: Number.POSITIVE_INFINITY, backup: false, ...change };
}

/** With every default but for `change`. */
export function upstreamConfig(change: Partial<UpstreamConfig> = {}): UpstreamConfig {
  const upstreams = { chat: { targets: [{ url: 'ws://a.test:1' }] } };
  const { chat } = loadObject({ routes: [{ upstream: 'chat' }], upstreams }, { baseDir: '.' }).config.upstreams;
  if (chat === undefined) throw new Error('there is no upstream chat');
  return { ...chat, ...change };
}

export function newTarget(
  name: string,
  change: Partial<TargetConfig> = {},
  settings: Partial<TargetSettings> = {},
  told: TargetTold = () => {},
): Target {
  const whole = { host: 'client', max_handshakes_per_target: Number.POSITIVE_INFINITY, ...settings } as const;
  return new Target(targetConfig(name, change), whole, told);
}
