// What is told of upstreams and targets beyond what a whole proxy shows easily: checks, discovery, policies.

import { expect, test } from 'vitest';
import { loadObject } from '../../src/config/load.ts';
import { upstreamViews } from '../../src/control/upstream-views.ts';
import type { Edge } from '../../src/edge/edge.ts';
import { atOnce } from '../../src/limits/slices.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import { UpstreamRegistry } from '../../src/upstream/registry.ts';
import type { DiscoveryStatus, TargetSource } from '../../src/upstream/sources/target-source.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { targetConfig, upstreamMeans } from '../support/upstreams.ts';

type UpstreamInput = NonNullable<ConfigInput['upstreams']>[string];

/** One upstream, whose targets are found as `status` says, where there is one. */
function rig(change: Partial<UpstreamInput> = {}, status: DiscoveryStatus | null = null) {
  const clock = new FakeClock();
  const means = upstreamMeans({ clock });
  const source: TargetSource = {
    kind: status?.kind ?? 'config',
    settings: 1,
    initial: [targetConfig('a'), targetConfig('b')],
    status,
    start() {},
    stop() {},
  };
  const registry = new UpstreamRegistry(means, { sourcesOf: () => [source] });
  const upstreams = { chat: { targets: [{ url: 'ws://a.test:1' }], ...change } };
  const { config } = loadObject({ routes: [{ upstream: 'chat' }], upstreams }, { baseDir: '.' });
  atOnce(registry.plan(config)).commit();
  const edge = { clock, metrics: means.metrics, snapshot: { upstreams: registry } } as unknown as Edge; // all it reads
  const view = () => JSON.parse(JSON.stringify([...upstreamViews(edge)], listed))[0];
  return { clock, registry, metrics: means.metrics, view };
}

/** Lists are made while they are read. */
function listed(_: string, value: unknown): unknown {
  const isPulled = typeof value === 'object' && value !== null && !Array.isArray(value) && Symbol.iterator in value;
  return isPulled ? [...(value as Iterable<unknown>)] : value; // told by its iterator
}

test.each([
  ['random_two', 'random_two'],
  [{ hash: 'header:X-Room' }, 'hash header:x-room'],
  [{ hash: 'segment:2' }, 'hash segment:2'],
  [{ sticky: {} }, 'sticky fg-chat'],
  [{ sticky: { cookie: 'id' } }, 'sticky id'],
] as const)('balance %j', (balance, text) => {
  expect(rig({ balance } as Partial<UpstreamInput>).view().balance).toBe(text);
});

test('the last check: what it came to, since when, and how long it took', () => {
  const { clock, registry, view } = rig();
  const target = registry.get('chat')?.target('a');
  if (target === undefined) throw new Error('no target');
  expect(view().targets[0].check).toBeNull();
  target.lastCheck = { result: 'backend_unreachable', cause: 'ECONNREFUSED', at: clock.now(), ms: 2.4 };
  target.bar('down', 'check', clock.now());
  clock.advance(3_000);
  expect(view().targets).toMatchObject([
    {
      ...{ state: 'down', why: 'check', state_ms: 3_000, share: 0 },
      check: { result: 'backend_unreachable', cause: 'ECONNREFUSED', age_ms: 3_000, took_ms: 2 },
    },
    { state: 'up', why: null, state_ms: null, share: 1, check: null },
  ]);
});

test('latencies: p50 and p99 in milliseconds, null before the first', () => {
  const { metrics, view } = rig();
  const counted = metrics.target('chat', 'a');
  for (let left = 98; left > 0; left -= 1) counted.dial('ok', 0.002);
  counted.dial('ok', 0.5);
  counted.dial('ok', 0.5);
  counted.dial('backend_timeout', 5);
  counted.upgraded(0.0005);
  const [a, b] = view().targets;
  expect(a).toMatchObject({
    dials_failed: 1,
    connect: { count: 100 },
    upgrade: { count: 1, p50_ms: 0.5, p99_ms: 0.5 },
  });
  expect(a.connect.p50_ms).toBeGreaterThanOrEqual(2);
  expect(a.connect.p50_ms).toBeLessThanOrEqual(2.25);
  expect(a.connect.p99_ms).toBeGreaterThanOrEqual(0.875 * 500);
  expect(b).toMatchObject({ dials_failed: 0, connect: null, upgrade: null });
});

test('failures that count: null while ejection is off', () => {
  const failuresOf = (one: ReturnType<typeof rig>) => {
    one.registry.start();
    one.registry.get('chat')?.target('a')?.watch?.dialFailed(0);
    return one.view().targets.map(({ failures }: { failures: number | null }) => failures);
  };
  const on = rig();
  expect(failuresOf(on)).toEqual([1, 0]);
  on.clock.advance(29_999);
  expect(on.view().targets[0].failures).toBe(1);
  on.clock.advance(1);
  expect(on.view().targets[0].failures).toBe(0);
  expect(failuresOf(rig({ health: { passive: 'off' } }))).toEqual([null, null]);
});

test('discovery: its kind, what it found, how old that is and why it fails', () => {
  const now = new FakeClock().now();
  const found = { kind: 'dns', targets: 2, answeredAt: now - 4_000, failing: null };
  expect(rig({}, found).view()).toMatchObject({
    discovery: { kind: 'dns', targets: 2, age_ms: 4_000, failing_ms: null, error: null },
    targets: [{ source: 'dns' }, { source: 'dns' }],
  });
  const never = { ...found, targets: 0, answeredAt: null, failing: { since: now - 70, error: 'ENOTFOUND' } };
  expect(rig({}, never).view().discovery).toEqual({
    ...{ kind: 'dns', targets: 0, age_ms: null },
    ...{ failing_ms: 70, error: 'ENOTFOUND' },
  });
  expect(rig().view().discovery).toBeNull();
});
