// What is shipped beside the program: dashboard, alerts, container image, unit, manifests. Each is parsed and compared
// with what the program really has; no container runtime, systemd or cluster is needed.

import { existsSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { commandNames, parseArguments } from '../src/cli/arguments.ts';
import { parseListenAddress } from '../src/config/addresses.ts';
import { loadConfig, loadObject } from '../src/config/load.ts';
import { parseDuration } from '../src/config/units.ts';
import { openFilesNeededFor } from '../src/net/open-files.ts';
import { renderMetrics } from '../src/observe/exposition.ts';
import { RuntimeMetrics } from '../src/observe/runtime-metrics.ts';
import { END_CAUSES } from '../src/protocol/end-causes.ts';
import { parseMetrics } from './support/metrics-text.ts';
import { readQuery } from './support/promql.ts';
import { sampleRegistry, sampleSource } from './support/sample-metrics.ts';
import { projectRoot } from './support/source.ts';

const defaults = loadObject({ routes: [{ upstream: 'builtin:echo' }] }, { baseDir: '.' }).config;
const DRAIN_TIMEOUT_S = defaults.drain.timeout / 1000;
/** From the last cut to the exit. */
const EXIT_MARGIN_S = 5;

const read = (file: string) => readFileSync(path.join(projectRoot, file), 'utf8');

const runtime = new RuntimeMetrics(process);
afterAll(() => runtime.stop());
const families = parseMetrics(renderMetrics(sampleSource(sampleRegistry(), await runtime.read())));

/** Labels that scraping adds. */
const scraped = ['job', 'instance'];

/** Names of series with their labels. */
const seriesLabels = new Map<string, Set<string>>();
for (const { samples } of families.values()) {
  for (const { name, labels } of samples) {
    const known = seriesLabels.get(name) ?? new Set(scraped);
    for (const label of labels.keys()) known.add(label);
    seriesLabels.set(name, known);
  }
}

/** What a query names that does not exist. */
function unknownIn(query: string): string[] {
  const { selectors, grouped } = readQuery(query);
  const unknown: string[] = [];
  const all = new Set<string>(['le', ...scraped]);
  for (const { metric, labels } of selectors) {
    const known = seriesLabels.get(metric);
    if (known === undefined) unknown.push(metric);
    for (const label of labels) if (known?.has(label) !== true) unknown.push(`${metric}{${label}}`);
    for (const label of known ?? []) all.add(label);
  }
  return [...unknown, ...grouped.filter((label) => !all.has(label)).map((label) => `by (${label})`)];
}

/** Names of labels in `{{...}}` of a legend or text. */
function templateLabels(text: string): string[] {
  const used = [...text.matchAll(/\{\{\s*(?:\$labels\.)?([a-z_]+)\s*\}\}/g)].map((match) => match[1] ?? '');
  return used.filter((name) => name !== 'value');
}

/** A query's result has the labels it groups by, or those of its first metric. */
function resultLabels(query: string): ReadonlySet<string> {
  const { selectors, grouped } = readQuery(query);
  if (/\b(by)\s*\(/.test(query)) return new Set(grouped);
  return new Set(selectors.flatMap(({ metric }) => [...(seriesLabels.get(metric) ?? [])]));
}

function strings(value: unknown, key: string): string[] {
  if (Array.isArray(value)) return value.flatMap((one) => strings(one, key));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [
    ...(name === key && typeof inner === 'string' ? [inner] : []),
    ...strings(inner, key),
  ]);
}

test('the reader of queries finds what does not exist', () => {
  expect(unknownIn('sum by (route) (rate(framegate_sessions_total{route=~"$route"}[5m])) > 0.5')).toEqual([]);
  expect(unknownIn('rate(framegate_session_total[5m])')).toEqual(['framegate_session_total']);
  expect(unknownIn('framegate_ready{route="a"}')).toEqual(['framegate_ready{route}']);
  expect(unknownIn('sum by (target) (framegate_sessions_open)')).toEqual(['by (target)']);
  expect(unknownIn('framegate_message_size_bytes')).toEqual(['framegate_message_size_bytes']);
});

describe('grafana/dashboard.json', () => {
  const dashboard = JSON.parse(read('grafana/dashboard.json'));
  const panels: { id: number; type: string; title: string; gridPos: Record<'x' | 'y' | 'w' | 'h', number> }[] =
    dashboard.panels;

  test('queries metrics and labels that exist', () => {
    const queries = strings(dashboard, 'expr');
    expect(queries.length).toBeGreaterThan(30);
    for (const query of queries) expect(unknownIn(query), query).toEqual([]);
  });

  test('legends name labels that the result has', () => {
    for (const { targets = [] } of dashboard.panels) {
      for (const { expr, legendFormat } of targets) {
        for (const label of templateLabels(legendFormat)) expect(resultLabels(expr), expr).toContain(label);
      }
    }
  });

  test('variables ask for labels that exist', () => {
    for (const variable of dashboard.templating.list) {
      const match = /^label_values\((\w+)(?:\{[^}]*\})?, (\w+)\)$/.exec(variable.definition ?? '');
      if (variable.type === 'query') expect(seriesLabels.get(match?.[1] ?? '')).toContain(match?.[2]);
    }
  });

  test('shows every metric of framegate', () => {
    const text = strings(dashboard, 'expr').join('\n');
    const missing = [...families.keys()].filter((name) => name.startsWith('framegate_') && !text.includes(name));
    expect(missing).toEqual([]);
  });

  test('panels have ids of their own, fit the grid and do not overlap', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const taken = new Set<string>();
    for (const { gridPos } of panels) {
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect(taken.has(`${x} ${y}`)).toBe(false);
          taken.add(`${x} ${y}`);
        }
      }
    }
  });
});

describe('prometheus/alerts.yaml', () => {
  interface Rule {
    alert: string;
    expr: string;
    for: string;
    labels: { severity: string };
    annotations: { summary: string; description?: string };
  }
  const { groups }: { groups: { name: string; rules: Rule[] }[] } = parse(read('prometheus/alerts.yaml'));
  const rules = groups.flatMap((group) => group.rules);

  test.each(rules.map((rule) => [rule.alert, rule] as const))('%s is about what exists', (_, rule) => {
    expect(unknownIn(rule.expr)).toEqual([]);
    expect(rule.for).toMatch(/^[0-9]+m$/);
    expect(rule.labels.severity).toMatch(/^(critical|warning|info)$/);
    const texts = [rule.annotations.summary, rule.annotations.description ?? ''];
    for (const label of texts.flatMap(templateLabels)) expect(resultLabels(rule.expr), label).toContain(label);
    expect((rule.expr.match(/\(/g) ?? []).length).toBe((rule.expr.match(/\)/g) ?? []).length);
  });

  test('reasons are causes of an end', () => {
    const listed = rules.flatMap(({ expr }) => [...expr.matchAll(/reason=~"([^"]+)"/g)].map((match) => match[1] ?? ''));
    expect(listed.length).toBeGreaterThan(0);
    for (const reason of listed.join('|').split('|')) expect(Object.keys(END_CAUSES)).toContain(reason);
  });

  test('names are unique, and each kind of trouble has its alert', () => {
    const names = rules.map(({ alert }) => alert);
    expect(new Set(names).size).toBe(names.length);
    for (const kind of [
      'NearLimit',
      'ErrorBudget',
      'Broken',
      'RequestsFailing',
      'SlowConsumers',
      'ReconnectStorm',
      'Imbalanced',
      'Reload',
      'TargetDown',
      'TargetsLost',
      'Ejected',
      'Retries',
      'Queue',
      'Rebalance',
      'Discovery',
    ]) {
      expect(
        names.some((name) => name.includes(kind)),
        kind,
      ).toBe(true);
    }
  });
});

describe('Dockerfile', () => {
  const lines = read('Dockerfile')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  const last = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM ')));
  const instruction = (name: string) => last.find((line) => line.startsWith(`${name} `)) ?? '';
  const exec = (line: string): string[] => JSON.parse(line.slice(line.indexOf('[')));

  test('builds in one stage and runs in another, on the same slim image', () => {
    const stages = lines.filter((line) => line.startsWith('FROM '));
    expect(stages).toEqual(['FROM node:24-slim AS build', 'FROM node:24-slim']);
    expect(lines).toContain('RUN npm ci --no-audit --no-fund');
  });

  test('runs without root, and what it starts is the process that gets the signals', () => {
    expect(instruction('USER')).toBe('USER node');
    expect(last.indexOf(instruction('USER'))).toBeLessThan(last.indexOf(instruction('ENTRYPOINT')));
    expect(exec(instruction('ENTRYPOINT'))).toEqual(['framegate']);
    expect(instruction('STOPSIGNAL')).toBe('STOPSIGNAL SIGTERM');
  });

  test('its commands are command lines that framegate takes, about the same config', () => {
    const [program, ...check] = exec(instruction('HEALTHCHECK'));
    expect(program).toBe('framegate');
    const source = { kind: 'file', path: '/etc/framegate/config.yaml' };
    expect(parseArguments(check)).toMatchObject({ ok: true, command: { kind: 'healthcheck', at: { source } } });
    expect(parseArguments(exec(instruction('CMD')))).toMatchObject({ ok: true, command: { kind: 'run', source } });
  });

  test('copies files that exist, and the program is where package.json says', () => {
    const copied = lines
      .filter((line) => /^COPY (?!--from)/.test(line))
      .flatMap((line) => line.split(' ').slice(1, -1));
    for (const file of copied) expect(existsSync(path.join(projectRoot, file)), file).toBe(true);
    const bin: string = JSON.parse(read('package.json')).bin.framegate;
    expect(last.some((line) => line.includes(`ln -s /app/${bin} /usr/local/bin/framegate`))).toBe(true);
    expect(read('src/cli.ts').split('\n')[0]).toMatch(/^#!\/usr\/bin\/env -S node --single-threaded( |$)/);
  });
});

describe('contrib/framegate.service', () => {
  const settings = new Map<string, string>();
  for (const line of read('contrib/framegate.service').split('\n')) {
    const match = /^([A-Za-z]+)=(.*)$/.exec(line);
    if (match !== null) settings.set(match[1] ?? '', match[2] ?? '');
    else expect(line).toMatch(/^(#.*|\[(Unit|Service|Install)\]|)$/);
  }

  test('reloads on HUP, drains on TERM, and is not killed before the drain is over', () => {
    expect(settings.get('ExecReload')).toBe('/bin/kill -HUP $MAINPID');
    expect(settings.get('KillSignal')).toBe('SIGTERM');
    expect(Number(settings.get('TimeoutStopSec'))).toBeGreaterThanOrEqual(DRAIN_TIMEOUT_S + EXIT_MARGIN_S);
  });

  test('tells systemd what it does by a command, which is a process of its own', () => {
    expect([settings.get('Type'), settings.get('NotifyAccess')]).toEqual(['notify', 'all']);
  });

  test('its sockets have a name that a listener takes', () => {
    const unit = read('contrib/framegate.socket');
    const [, name] = /^FileDescriptorName=(.*)$/m.exec(unit) ?? [];
    const [, address = ''] = /address: "(.*?)"/.exec(unit) ?? [];
    expect(parseListenAddress(address)).toEqual({ value: { kind: 'fd', name } });
    // With yes each connection would be a process.
    expect(unit).not.toMatch(/^Accept=/m);
    expect(unit).toContain(`Backlog=${defaults.listeners[0]?.backlog}\n`);
  });

  test('may open the descriptors that the default number of sessions takes', () => {
    expect(Number(settings.get('LimitNOFILE'))).toBeGreaterThanOrEqual(
      openFilesNeededFor(defaults.limits.max_sessions),
    );
  });

  test('does not start again what cannot start, and takes away what is not needed', () => {
    expect(settings.get('RestartPreventExitStatus')).toBe('2 78');
    // It does not hold for commands that run before.
    expect([...settings.keys()].filter((name) => /^ExecStart./.test(name))).toEqual([]);
    const hardening = [
      'NoNewPrivileges',
      'ProtectHome',
      'PrivateTmp',
      'PrivateDevices',
      'RestrictNamespaces',
      'DynamicUser',
    ];
    for (const name of hardening) expect(settings.get(name), name).toBe('yes');
    expect(settings.get('ProtectSystem')).toBe('strict');
    // Node compiles at run time: with this it does not start.
    expect(settings.has('MemoryDenyWriteExecute')).toBe(false);
  });

  test('its commands are command lines that framegate takes', () => {
    const words = (settings.get('ExecStart') ?? '').split(' ');
    expect(words.slice(0, 2)).toEqual(['/usr/bin/env', 'framegate']);
    expect(parseArguments(words.slice(2))).toMatchObject({ ok: true });
  });
});

describe('contrib/kubernetes.yaml', () => {
  const documents = parseAllDocuments(read('contrib/kubernetes.yaml'));
  const objects = new Map(documents.map((document) => [String(document.get('kind')), document.toJS()]));
  const pod = objects.get('Deployment').spec.template.spec;
  const [container] = pod.containers;
  const text: string = objects.get('ConfigMap').data['config.yaml'];
  const config = parse(text);
  const seconds = (duration: string): number => {
    const parsed = parseDuration(duration, { min: 0, max: 3_600_000, off: false });
    if ('problem' in parsed) throw new Error(`${duration}: ${parsed.problem}`);
    return parsed.value / 1000;
  };

  test('is valid YAML, and all parts mean the same pods', () => {
    expect(documents.flatMap(({ errors }) => errors)).toEqual([]);
    const labels = { 'app.kubernetes.io/name': 'framegate' };
    expect(objects.get('Service').spec.selector).toEqual(labels);
    expect(objects.get('Deployment').spec.selector.matchLabels).toEqual(labels);
    expect(objects.get('Deployment').spec.template.metadata.labels).toEqual(labels);
    expect(objects.get('PodDisruptionBudget').spec.selector.matchLabels).toEqual(labels);
    expect(objects.get('HorizontalPodAutoscaler').spec.scaleTargetRef.name).toBe('framegate');
  });

  test('its config has no problem', () => {
    const env = { FRAMEGATE_ADMIN_TOKEN: 'x'.repeat(32) };
    const result = loadConfig({ text, file: 'config.yaml', env, readFile: () => Buffer.alloc(0) });
    expect('problems' in result ? result.problems : result.warnings).toEqual([]);
  });

  test('a pod drains as long as it may, after the endpoints had time to forget it', () => {
    const { delay, spread, timeout } = config.drain;
    expect(seconds(delay)).toBe(5);
    expect(seconds(delay) + seconds(spread)).toBeLessThan(seconds(timeout));
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(seconds(timeout) + EXIT_MARGIN_S);
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(DRAIN_TIMEOUT_S + EXIT_MARGIN_S);
    const { periodSeconds, failureThreshold } = container.readinessProbe;
    expect(periodSeconds * failureThreshold).toBeLessThan(seconds(delay));
    // One late answer is no reason to lose a pod.
    expect(failureThreshold).toBe(3);
  });

  test('probes ask what is public on the port of the admin listener; liveness does not ask for readiness', () => {
    expect(container.readinessProbe.httpGet).toEqual({ path: '/readyz', port: 'admin' });
    expect(container.startupProbe.httpGet).toEqual({ path: '/readyz', port: 'admin' });
    expect(container.livenessProbe.httpGet).toEqual({ path: '/healthz', port: 'admin' });
    expect(config.admin.public).toContain('health');
    const ports = Object.fromEntries(
      container.ports.map((port: { name: string; containerPort: number }) => [port.name, `:${port.containerPort}`]),
    );
    expect(ports).toEqual({ ws: config.listeners[0].address, admin: config.admin.address });
    expect(config.admin.token).toBe(`\${${container.env[0].name}}`);
  });

  test('clients reach one port from everywhere, the admin port is for those who scrape it', () => {
    const { podSelector, policyTypes, ingress } = objects.get('NetworkPolicy').spec;
    expect(podSelector).toEqual({ matchLabels: { 'app.kubernetes.io/name': 'framegate' } });
    expect(policyTypes).toEqual(['Ingress']);
    const [clients, scrapers, ...more] = ingress;
    expect(clients).toEqual({ ports: [{ port: 'ws' }] });
    expect(scrapers).toMatchObject({ from: [{ namespaceSelector: {} }], ports: [{ port: 'admin' }] });
    expect(more).toEqual([]);
  });

  test('the arguments are a command line that framegate takes, without root and privileges', () => {
    const source = { kind: 'file', path: `${container.volumeMounts[0].mountPath}/config.yaml` };
    expect(parseArguments(container.args)).toMatchObject({ ok: true, command: { kind: 'run', source, watch: true } });
    expect(pod.securityContext.runAsNonRoot).toBe(true);
    expect(container.securityContext).toMatchObject({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true });
  });

  test('scales down slowly, one pod at a time, and never rolls out below its size', () => {
    const { scaleDown } = objects.get('HorizontalPodAutoscaler').spec.behavior;
    expect(scaleDown.stabilizationWindowSeconds).toBeGreaterThanOrEqual(1800);
    expect(scaleDown.policies).toEqual([{ type: 'Pods', value: 1, periodSeconds: 600 }]);
    expect(objects.get('Deployment').spec.strategy.rollingUpdate).toEqual({ maxUnavailable: 0, maxSurge: 1 });
  });
});

test('every command that these files use exists', () => {
  for (const name of ['run', 'check', 'healthcheck', 'advise']) expect(commandNames).toContain(name);
});
