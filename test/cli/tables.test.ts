import { describe, expect, test } from 'vitest';
import { renderSession, renderSessions, renderStatus, table } from '../../src/cli/tables.ts';
import { sampleSession, sampleStatus, sampleUpstreams } from '../support/fake-admin-subject.ts';

describe('a table', () => {
  const columns = [
    { head: 'NAME', align: 'left', text: (row: { name: string }) => row.name, gives: true },
    { head: 'N', align: 'right', text: ({ n }: { n: number }) => String(n) },
  ] as const;
  const rows = [
    { name: 'short', n: 1 },
    { name: 'a name of many words', n: 12345 },
  ];

  test('is as wide as its content where there is room', () => {
    expect(table(columns, rows, 80)).toEqual([
      'NAME                      N',
      'short                     1',
      'a name of many words  12345',
    ]);
  });

  test('shortens the column that gives, by no more than it takes', () => {
    expect(table(columns, rows, 27)[2]).toBe('a name of many words  12345');
    expect(table(columns, rows, 26)).toEqual([
      'NAME                     N',
      'short                    1',
      'a name of many w...  12345',
    ]);
    expect(table(columns, rows, 1)[2]).toBe('a nam...  12345');
  });

  test('lets nothing through that a terminal would obey', () => {
    const odd = [{ name: '\x1b[2J\u202e\u009b\n\u{1f600}', n: 1 }];
    expect(table(columns, odd, 80)[1]).toBe('\\u001b[2J\\u202e\\u009b\\u000a\\ud83d\\ude00  1');
  });
});

test('status', () => {
  expect(renderStatus(sampleStatus, sampleUpstreams, 120)).toBe(
    [
      'framegate 1.2.3  READY  up 2h  pid 42',
      'sessions 1 234 of 10 000, 56 789 in all; handshakes 3; buffered 256KiB; memory 100MiB',
      'refused no_route 5, too_many_handshakes 2',
      'config config.yaml, loaded 2025-01-01T00:00:00.000Z, never reloaded',
      'listening on 127.0.0.1:8080 (public), 1 240 connections',
      '',
      'ROUTE  STATE  SESSIONS  LIMIT   TOTAL  REFUSED  PAUSED        FROM CLIENT        FROM BACKEND',
      'chat   open      1 234      -  56 789        7       1  1 204 311 / 86MiB  2 000 000 / 858MiB',
      '',
      'UPSTREAM  TARGET  STATE     WEIGHT  SESSIONS  LIMIT   TOTAL  DIALS FAILED',
      'chat      a       draining       1     1 234  5 000  56 789             2',
      '',
    ].join('\n'),
  );
});

test('status of certificates: the one that ends first', () => {
  const [listener] = sampleStatus.listeners;
  if (listener === undefined) throw new Error('a listener');
  const lineOf = (...ends: number[]) => {
    const certificates = ends.map((expires_in_ms) => ({ name: 'a.test', not_after: 'then', expires_in_ms }));
    const status = { ...sampleStatus, listeners: [{ ...listener, certificates }] };
    return renderStatus(status, [], 120).split('\n')[5];
  };
  expect(lineOf()).toBe('');
  expect(lineOf(3 * 86_400_000)).toBe('  certificate a.test ends in 3d, then');
  expect(lineOf(0, 5)).toBe('  certificate a.test ends in 0ms, then; 2 certificates, the first to end');
  expect(lineOf(-1)).toBe('  certificate a.test EXPIRED then');
});

test('sessions', () => {
  const lines = renderSessions({ sessions: [sampleSession], next: 'cafe-1' }, 160).split('\n');
  const cells = lines.map((line) => line.split(/ {2,}/));
  expect(cells).toEqual([
    [
      ...['ID', 'STATE', 'ROUTE', 'TARGET', 'CLIENT', 'AGE', 'SILENT', 'RTT'],
      ...['FROM CLIENT', 'FROM BACKEND', 'BUFFERED', 'PATH'],
    ],
    [
      ...['cafe-1', 'paused', 'chat', 'a', '192.0.2.7', '1.5m', '20ms', '12ms'],
      ...['12 / 3.3KiB', '34 567 / 8.6MiB', '256KiB', '/chat/a?token=***'],
    ],
    [''],
    ['more: --after cafe-1'],
    [''],
  ]);
  expect(renderSessions({ sessions: [], next: null }, 160)).toBe('no sessions\n');
});

test('one session', () => {
  expect(renderSession({ ...sampleSession, peer: '10.0.0.1', reason: 'drain', state: 'closing' })).toBe(
    [
      'session       cafe-1',
      'state         closing (drain)',
      'route         chat',
      'path          /chat/a?token=***',
      'client        192.0.2.7 through 10.0.0.1',
      'listener      public',
      'upstream      chat, target a',
      'request id    r1',
      'age           1.5m',
      'ping          12ms there and back',
      'from client   12 messages, 3.3KiB, largest 900B; silent 800ms; 0B waiting, 0 pauses',
      'from backend  34 567 messages, 8.6MiB, largest 63KiB; silent 20ms; 256KiB waiting, 4 pauses, ' +
        'not read now: the other side does not take it',
      '',
    ].join('\n'),
  );
});
