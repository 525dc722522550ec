// What the benches make of their measurements: Markdown, a chart, and the classes of a heap snapshot.

import { getHeapSnapshot } from 'node:v8';
import { describe, expect, test } from 'vitest';
import { svgChart } from '../../bench/load/chart.ts';
import { markdownReport, ratioOf, sectionsOf } from '../../bench/load/report.ts';
import type { CellResult, PeerHandshakes, PeerRounds, Report, StormRound } from '../../bench/load/results.ts';
import { byGroup, groupOf } from '../../bench/memory/groups.ts';
import { classSizes, growth } from '../../bench/memory/heap-classes.ts';
import { type TlsMemoryReport, tlsBound, tlsMemoryMarkdown } from '../../bench/memory/tls-memory.ts';

function rounds(peer: string, cpuMicros: readonly number[]): PeerRounds {
  const shares = { proxyShare: 0.98, generatorShare: 0.4, backendShare: 0.3, sentLateP99: 0.1 };
  const latencies = { p50: 1, p99: 2, p999: 3 };
  return {
    peer,
    rounds: cpuMicros.map((cpu) => ({ roundTripsPerSecond: 50_000, cpuMicros: cpu, ...shares, ...latencies })),
    fault: null,
  };
}

const cell: CellResult = {
  cell: '100x64Bx1',
  peers: [rounds('framegate', [14, 15, 28]), rounds('nginx', [10, 10, 14]), rounds('haproxy', [10, 11, 14])],
};

const report: Report = {
  machine: { cpu: 'A & B', cores: 2, system: 'Linux 6', node: 'v20', date: '2026-01-01' },
  command: 'npm run bench:load',
  versions: { nginx: '1.2' },
  backend: 'ws',
  rounds: 3,
  seconds: 2,
  rate: null,
  skipped: ['haproxy is not installed'],
  cells: [cell],
  handshakes: [],
  fairness: [],
  tls: null,
  storms: [],
  plain: [],
  beside: [],
};

describe('a report', () => {
  test('has the median of the ratios of each round, not the ratio of the medians', () => {
    expect(ratioOf(cell, 'nginx')).toEqual({ median: 1.5, min: 1.4, max: 2 });
    expect(ratioOf(cell, 'direct')).toBeNull();
  });

  test('sets goals that are missed in bold, and only those', () => {
    const text = markdownReport(report);
    expect(text).toContain(' 1.50 (1.40-2.00) <= 1.55 ');
    expect(text).toContain('**1.40 (1.36-2.00) > 1.35**');
  });

  test('says what it was measured with and what was skipped', () => {
    const text = markdownReport(report);
    for (const part of ['A & B', '`npm run bench:load`', 'nginx 1.2', 'Skipped: haproxy']) {
      expect(text).toContain(part);
    }
  });

  test('tells of a proxy that failed', () => {
    const failed = { peer: 'nginx', rounds: [], fault: 'a Close after 7 echoes' };
    expect(markdownReport({ ...report, cells: [{ ...cell, peers: [failed] }] })).toContain(failed.fault);
  });
});

function handshakes(kind: PeerHandshakes['kind'], peer: string, perCpuSecond: number): PeerHandshakes {
  const shares = { proxyShare: 1, generatorShare: 0.5, resumedShare: kind === 'resumed' ? 1 : 0 };
  return { kind, peer, rounds: [{ perSecond: 1, perCpuSecond, ...shares, p50: 1, p99: 2 }], fault: null };
}

function storm(change: Partial<StormRound>): Report['storms'] {
  const seen = { longestTurnMs: 30, quietP99: 1, stormP99: 31, stormMax: 40, sentLateP99: 1, proxyShare: 0.9 };
  const came = { clients: 5_000, resumedShare: 0.96, lastHelloMs: 1_000, allInMs: 2_000, openP99: 1_500 };
  return [{ peer: 'framegate', rounds: [{ ...came, ...seen, ...change }], fault: null }];
}

test('handshakes by method of auth have a table and a section of their own', () => {
  const found = [handshakes('auth', 'framegate', 1_000), handshakes('auth', 'framegate, hmac', 800)];
  const whole = { ...report, cells: [], handshakes: [...found, handshakes('plain', 'framegate', 900)] };
  const [load, auth] = sectionsOf(whole);
  expect([load?.section, auth?.section]).toEqual(['bench:load', 'bench:auth']);
  expect(auth?.part.handshakes).toEqual(found);
  const text = markdownReport(auth?.part ?? report);
  expect(text).toContain('### Handshakes by method of auth');
  expect(text).toMatch(/framegate, hmac \| +800 \| +1\.25 /);
  expect(text).toContain('Above 1 the route without does more');
  expect(text).not.toContain('resumed');
});

test('plain requests have a section of their own, and the goal in bold where it is missed', () => {
  const shares = { proxyShare: 1, loadShare: 0.5, p50: 1, p99: 2, perSecond: 1 };
  const of = (work: string, peer: string, cpuMicros: number) => {
    return { work, peer, rounds: [{ cpuMicros, ...shares }], fault: null };
  };
  const gets = [of('GET', 'framegate', 121), of('GET', 'http-pipe', 100), of('GET', 'nginx', 50)];
  const posts = [of('POST 1KiB', 'framegate', 120), of('POST 1KiB', 'http-pipe', 100)];
  const sections = sectionsOf({ ...report, cells: [], plain: [...gets, ...posts] });
  expect(sections.map(({ section }) => section)).toEqual(['bench:plain']);
  const text = markdownReport(sections[0]?.part ?? report);
  for (const part of ['**1.21 > 1.2**', ' 1.20 <= 1.2 ', ' 2.42 ']) expect(text).toContain(part);
});

test('sessions beside plain requests are held against what they are without', () => {
  const more = { pastP99: 8, requestsPerSecond: 1, requestP99: 1, sentLateP99: 1, proxyShare: 1 };
  const of = (p99: number) => [{ peer: 'framegate', rounds: [{ quietP99: 10, p99, ...more }], fault: null }];
  const textOf = (p99: number) => markdownReport({ ...report, cells: [], beside: of(p99) });
  expect(textOf(12)).toContain(' 1.20 <= 1.2 ');
  expect(textOf(12.1)).toContain('**1.21 > 1.2**');
  expect(textOf(12.1)).toContain(' 1.51 ');
  const sections = sectionsOf({ ...report, cells: [], beside: of(12) });
  expect(sections.map(({ section }) => section)).toEqual(['bench:beside']);
});

describe('a report of TLS', () => {
  test('has a table for each kind of handshake, with its own goal', () => {
    const found = [handshakes('full', 'framegate', 39), handshakes('full', 'nginx', 100)];
    const more = [handshakes('resumed', 'framegate', 39), handshakes('resumed', 'nginx', 100)];
    const text = markdownReport({ ...report, cells: [], handshakes: [...found, ...more], tls: 'TLS 1.3' });
    expect(text).toContain('**0.390 < 0.4**');
    expect(text).toContain('0.390 >= 0.35');
    expect(text).toContain('TLS: TLS 1.3');
    expect(text).not.toContain('### Handshakes');
  });

  test('sets in bold what a storm does beyond its bounds, and only that', () => {
    expect(markdownReport({ ...report, cells: [], storms: storm({}) })).not.toMatch(/\*\*\d/);
    const missed = { resumedShare: 0.95, longestTurnMs: 30.1, stormP99: 31.1 };
    const text = markdownReport({ ...report, cells: [], storms: storm(missed) });
    for (const part of ['**95 %**', '**30.1**', '**31.1**']) expect(text).toContain(part);
  });

  test('goes to the sections of what was measured, and no other', () => {
    const secure = { ...cell, cell: 'wss:100x64Bx1' };
    const all = { ...report, cells: [cell, secure], storms: storm({}), handshakes: [handshakes('full', 'nginx', 1)] };
    const sections = sectionsOf(all).map(({ section, part }) => [section, part.cells.length, part.handshakes.length]);
    expect(sections).toEqual([
      ['bench:load', 1, 0],
      ['bench:tls', 1, 1],
      ['bench:storm', 0, 0],
    ]);
    expect(sectionsOf(report).map(({ section }) => section)).toEqual(['bench:load']);
  });
});

describe('memory over TLS', () => {
  const row = (label: string, kib: number) => ({
    label,
    rounds: [{ opened: 0, used: kib * 1024 }],
    fault: null,
  });
  const others = [row('framegate, ws', 4), row('bare TLS of Node', 36), row('bare net of Node', 6)];
  const texts = { command: 'x', tls: 'TLS 1.3', versions: {}, skipped: [], machine: report.machine };
  const textOf = (kib: number) => {
    const found: TlsMemoryReport = {
      ...texts,
      sessions: 1,
      attribution: null,
      rows: [row('framegate, wss', kib), ...others],
    };
    return tlsMemoryMarkdown(found);
  };

  test('may be a bare TLS connection, and what a plain session costs above a bare connection', () => {
    expect(tlsBound(others)).toBe(34 * 1024);
    expect(tlsBound(others.slice(1))).toBeNaN();
    expect(textOf(34)).toContain('| at most 34.0 KiB |');
    expect(textOf(34.1)).toContain('**above 34.0 KiB**');
  });
});

test('a chart is well-formed, and has a bar for each proxy', () => {
  const svg = svgChart(report);
  expect(svg).toContain('A &amp; B');
  expect(svg.match(/<rect x=/g)).toHaveLength(3);
  expect(svg).not.toMatch(/NaN|undefined|Infinity/);
});

describe('a heap snapshot', () => {
  test('is counted by class, and only growth is told', async () => {
    const before = classSizes(await snapshot());
    const held = Array.from({ length: 100 }, () => new SampleSession());
    const after = classSizes(await snapshot());
    const grown = growth(before, after).find((one) => one.name === SampleSession.name);
    expect(grown?.count).toBe(held.length);
    expect(grown?.bytes).toBeGreaterThanOrEqual(held.length * 16);
    expect(growth(after, after)).toEqual([]);
  });

  test('has groups in words of the proxy', () => {
    expect(['HandleTransport', 'TCP', '(string)', 'FrameScanner', 'Session', 'Alarm', 'Foo'].map(groupOf)).toEqual([
      'sockets',
      'sockets',
      'strings',
      'scanners',
      'session',
      'timers',
      'other',
    ]);
    const classes = [
      { name: 'Session', count: 1, bytes: 100 },
      { name: 'TCP', count: 2, bytes: 300 },
      { name: 'HandleTransport', count: 2, bytes: 50 },
    ];
    expect(byGroup(classes)).toEqual([
      { name: 'sockets', bytes: 350 },
      { name: 'session', bytes: 100 },
    ]);
  });
});

class SampleSession {
  readonly a = 1;
  readonly b = 2;
}

async function snapshot(): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of getHeapSnapshot()) parts.push(Buffer.from(part));
  return Buffer.concat(parts).toString('utf8');
}
