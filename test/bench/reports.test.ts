// What the benches make of their measurements: Markdown, a chart, and the classes of a heap snapshot.

import { getHeapSnapshot } from 'node:v8';
import { describe, expect, test } from 'vitest';
import { svgChart } from '../../bench/load/chart.ts';
import { markdownReport, ratioOf } from '../../bench/load/report.ts';
import type { CellResult, PeerRounds, Report } from '../../bench/load/results.ts';
import { byGroup, groupOf } from '../../bench/memory/groups.ts';
import { classSizes, growth } from '../../bench/memory/heap-classes.ts';

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
    for (const part of ['A & B', '`npm run bench:load`', 'nginx 1.2', 'Skipped: haproxy', '`wss`']) {
      expect(text).toContain(part);
    }
  });

  test('tells of a proxy that failed', () => {
    const failed = { peer: 'nginx', rounds: [], fault: 'a Close after 7 echoes' };
    expect(markdownReport({ ...report, cells: [{ ...cell, peers: [failed] }] })).toContain(failed.fault);
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
