import promClient from 'prom-client';
import { afterAll, describe, expect, test } from 'vitest';
import { renderMetrics } from '../../src/observe/exposition.ts';
import { MetricsRegistry } from '../../src/observe/metrics.ts';
import { RuntimeMetrics } from '../../src/observe/runtime-metrics.ts';
import { parseMetrics } from '../support/metrics-text.ts';
import { sampleRegistry, sampleSource } from '../support/sample-metrics.ts';

const runtime = new RuntimeMetrics(process);
afterAll(() => runtime.stop());

/** Labels of every metric, without `le`; README and the dashboards rely on exactly these. */
const expected: Readonly<Record<string, readonly [type: string, labels: string]>> = {
  build_info: ['gauge', 'version node'],
  ready: ['gauge', ''],
  draining: ['gauge', ''],
  connections_open: ['gauge', 'listener'],
  connections_accepted_total: ['counter', 'listener'],
  connections_rejected_total: ['counter', 'listener reason'],
  acme_orders_total: ['counter', 'result'],
  acme_next_renewal_timestamp_seconds: ['gauge', 'name'],
  tls_handshakes_total: ['counter', 'listener result'],
  tls_handshake_duration_seconds: ['histogram', 'listener'],
  certificate_not_after_timestamp_seconds: ['gauge', 'listener name'],
  auth_total: ['counter', 'auth result'],
  auth_duration_seconds: ['histogram', 'auth'],
  auth_cache_total: ['counter', 'auth result'],
  revocations: ['gauge', ''],
  tls_handshakes_open: ['gauge', ''],
  handshakes_open: ['gauge', ''],
  handshakes_waiting: ['gauge', ''],
  handshakes_total: ['counter', 'route result'],
  handshake_duration_seconds: ['histogram', 'route'],
  relaxed_checks_total: ['counter', 'route check'],
  sessions_open: ['gauge', 'route'],
  sessions_limit: ['gauge', 'route'],
  sessions_total: ['counter', 'route'],
  session_ends_total: ['counter', 'route by reason code'],
  session_duration_seconds: ['histogram', 'route'],
  messages_total: ['counter', 'route direction opcode'],
  bytes_total: ['counter', 'route direction'],
  message_size_bytes: ['histogram', 'route direction'],
  limit_hits_total: ['counter', 'route direction limit'],
  sessions_paused: ['gauge', 'route direction'],
  backpressure_seconds_total: ['counter', 'route direction'],
  buffered_bytes: ['gauge', 'route direction'],
  buffered_bytes_limit: ['gauge', ''],
  memory_bytes_limit: ['gauge', ''],
  ping_rtt_seconds: ['histogram', 'route'],
  http_requests_open: ['gauge', ''],
  http_requests_total: ['counter', 'route code_class'],
  http_errors_total: ['counter', 'route error'],
  http_request_duration_seconds: ['histogram', 'route'],
  rebalance_closes_total: ['counter', 'upstream'],
  upstream_retries_total: ['counter', 'upstream result'],
  upstream_queue: ['gauge', 'upstream'],
  upstream_queue_seconds: ['histogram', 'upstream'],
  target_up: ['gauge', 'upstream target'],
  target_state: ['gauge', 'upstream target state'],
  target_sessions: ['gauge', 'upstream target'],
  target_sessions_limit: ['gauge', 'upstream target'],
  target_dials_total: ['counter', 'upstream target result'],
  target_ejections_total: ['counter', 'upstream target'],
  target_connect_duration_seconds: ['histogram', 'upstream target'],
  target_checks_total: ['counter', 'upstream target result'],
  target_check_duration_seconds: ['histogram', 'upstream target'],
  discovery_targets: ['gauge', 'upstream'],
  discovery_last_success_timestamp_seconds: ['gauge', 'upstream'],
  discovery_errors_total: ['counter', 'upstream'],
  config_last_reload_successful: ['gauge', ''],
  config_last_reload_success_timestamp_seconds: ['gauge', ''],
  config_reloads_total: ['counter', 'result'],
  log_lines_dropped_total: ['counter', ''],
  workers: ['gauge', ''],
  worker_sessions: ['gauge', 'worker'],
  worker_exits_total: ['counter', 'reason'],
};

describe('the exposition', () => {
  const families = parseMetrics(renderMetrics(sampleSource(sampleRegistry())));

  test('has exactly these metrics, types and labels, each with at least one series', () => {
    const found = [...families.values()].map(({ name, type, samples }) => {
      const labels = new Set(samples.flatMap((sample) => [...sample.labels.keys()].filter((label) => label !== 'le')));
      expect(samples.length, name).toBeGreaterThan(0);
      return [name, [type, [...labels].join(' ')]];
    });
    const wanted = Object.entries(expected).map(([name, shape]) => [`framegate_${name}`, shape]);
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(wanted));
  });

  test.each([
    ['handshake_duration_seconds', [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]],
    ['session_duration_seconds', [1, 10, 60, 300, 1800, 3600, 21600, 86400, 604800]],
    ['message_size_bytes', [64, 256, 2 ** 10, 2 ** 12, 2 ** 14, 2 ** 16, 2 ** 18, 2 ** 20, 2 ** 22, 2 ** 24]],
  ])('buckets of %s', (name, bounds) => {
    const samples = families.get(`framegate_${name}`)?.samples ?? [];
    const found = new Set(samples.map(({ labels }) => labels.get('le')).filter((le) => le !== undefined));
    expect([...found]).toEqual([...bounds.map(String), '+Inf']);
  });

  test('values are those that were counted', () => {
    const value = (name: string, labels: Readonly<Record<string, string>> = {}) =>
      families
        .get(`framegate_${name}`)
        ?.samples.find((sample) => Object.entries(labels).every(([key, text]) => sample.labels.get(key) === text))
        ?.value;
    expect(value('handshakes_total', { route: '-', result: 'no_route' })).toBe(1);
    expect(value('handshakes_total', { route: 'chat', result: 'backend_timeout' })).toBe(1);
    expect(value('sessions_limit', { route: '-' })).toBe(10_000);
    expect(value('sessions_limit', { route: 'chat' })).toBe(Infinity);
    expect(value('session_ends_total', { by: 'proxy', reason: 'drain', code: '4xxx' })).toBe(1);
    expect(value('sessions_open', { route: 'chat' })).toBe(1);
    expect(value('message_size_bytes', { direction: 'from_client', le: '64' })).toBe(1);
    expect(value('message_size_bytes', { direction: 'from_client', le: '256' })).toBe(2);
    expect(value('backpressure_seconds_total', { direction: 'from_backend' })).toBe(2.5);
    expect(value('target_dials_total', { result: 'backend_unreachable' })).toBe(1);
    expect(value('config_last_reload_successful')).toBe(1);
  });

  test('L4: a name of a config cannot leave its label', () => {
    const registry = new MetricsRegistry();
    const name = 'a"} 1\nframegate_ready 0\\<script>';
    registry.route(name).sessionBegan();
    registry.target(name, name);
    registry.listener(name);
    const again = parseMetrics(renderMetrics(sampleSource(registry)));
    expect(again.get('framegate_sessions_open')?.samples[0]?.labels.get('route')).toBe(name);
    expect(again.get('framegate_target_up')?.samples[0]?.labels.get('target')).toBe(name);
  });

  test('a process that has seen nothing has a valid exposition too', () => {
    expect(() => parseMetrics(renderMetrics(sampleSource(new MetricsRegistry())))).not.toThrow();
  });
});

describe('prom-client', () => {
  test('takes every name and label, and writes the same text for the same values', async () => {
    const text = renderMetrics(sampleSource(sampleRegistry()));
    const registry = new promClient.Registry();
    for (const { name, type, help, samples } of parseMetrics(text).values()) {
      if (type === 'histogram') continue;
      const labelNames = [...new Set(samples.flatMap(({ labels }) => [...labels.keys()]))];
      const options = { name, help, labelNames, registers: [registry] };
      const metric = type === 'counter' ? new promClient.Counter(options) : new promClient.Gauge(options);
      for (const { labels, value } of samples) metric.inc(Object.fromEntries(labels), value);
    }
    const theirs = parseMetrics(`${(await registry.metrics()).trimEnd().replace(/\n\n/g, '\n')}\n`);
    for (const [name, family] of theirs) expect(family).toEqual(parseMetrics(text).get(name));
    expect(theirs.size).toBeGreaterThan(20);
  });

  test('cuts the same observations into the same buckets', async () => {
    const values = [0, 63, 64, 64.5, 65, 255, 256, 257, 1024, 1025, 2 ** 24, 2 ** 24 + 1];
    const registry = new MetricsRegistry();
    for (const value of values) registry.route('r').profile.fromClient.recordMessages(value, 1);
    const name = 'framegate_message_size_bytes';
    const ours = parseMetrics(renderMetrics(sampleSource(registry))).get(name);
    const theirRegistry = new promClient.Registry();
    const buckets = [...registry.route('r').fromClient.messageSize.bounds];
    const labelNames = ['route', 'direction'];
    const theirs = new promClient.Histogram({ name, help: 'x', labelNames, buckets, registers: [theirRegistry] });
    for (const value of values) theirs.observe({ route: 'r', direction: 'from_client' }, value);
    const key = (labels: ReadonlyMap<string, string>) => JSON.stringify([...labels].sort());
    const flat = (samples: readonly { name: string; labels: ReadonlyMap<string, string>; value: number }[] = []) =>
      samples
        .filter(({ labels }) => labels.get('direction') === 'from_client')
        .map((s) => [s.name, key(s.labels), s.value]);
    const parsed = parseMetrics(`${(await theirRegistry.metrics()).trimEnd()}\n`).get(name);
    expect(flat(ours?.samples)).toEqual(flat(parsed?.samples));
  });

  test('knows our process_ and nodejs_ metrics by the same names, types and labels', async () => {
    const source = sampleSource(new MetricsRegistry(), await runtime.read());
    const ours = [...parseMetrics(renderMetrics(source)).values()].filter(({ name }) => !name.startsWith('framegate_'));
    const registry = new promClient.Registry();
    promClient.collectDefaultMetrics({ register: registry });
    const text = `${(await registry.metrics()).trimEnd().replace(/\n\n/g, '\n')}\n`;
    const labelsOf = (lines: readonly string[]) => {
      const names = lines.flatMap((line) => [...line.matchAll(/[{,]([a-z_]+)="/g)].map((match) => match[1]));
      return [...new Set(names)].filter((name) => name !== 'le').sort();
    };
    for (const { name, type, samples } of ours) {
      expect(text).toContain(`# TYPE ${name} ${type}\n`);
      const lines = text.split('\n').filter((line) => new RegExp(`^${name}(_bucket|_sum|_count)?[{ ]`).test(line));
      const labels = [...new Set(samples.flatMap((sample) => [...sample.labels.keys()]))];
      // A collector that has not run yet has no series there.
      if (lines.length > 0) expect(labels.filter((one) => one !== 'le').sort(), name).toEqual(labelsOf(lines));
    }
    expect(ours.map(({ name }) => name)).toContain('process_cpu_seconds_total');
    expect(ours.map(({ name }) => name)).toContain('nodejs_eventloop_lag_p99_seconds');
  });
});

test('the strict reader can fail', () => {
  const bad = [
    'a 1\n',
    '# HELP a b\n# TYPE a gauge\na 1',
    '# HELP a b\n# TYPE a gauge\na 1\na 1\n',
    '# HELP a b\n# TYPE a counter\na 1\n',
    '# HELP a b\n# TYPE a gauge\na{b="\\x"} 1\n',
    '# HELP a b\n# TYPE a gauge\na{b="1",b="2"} 1\n',
    '# HELP a b\n# TYPE a gauge\na one\n',
    '# HELP a b\n# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n',
  ];
  for (const text of bad) expect(() => parseMetrics(text), text).toThrow();
});
