import { describe, expect, test } from 'vitest';
import type { SessionPage, SessionView, StatusView, UpstreamView } from '../../src/admin/subject.ts';
import { type Block, laid } from '../../src/cli/layout.ts';
import { type Line, line, painted, piece, printed, wrapped } from '../../src/cli/line.ts';
import { sessionBlocks, sessionLines } from '../../src/cli/session-tables.ts';
import { statusBlocks } from '../../src/cli/status-table.ts';
import { type Column, left, right, table } from '../../src/cli/table.ts';
import { upstreamBlocks } from '../../src/cli/upstream-tables.ts';
import { sampleSession, sampleStatus, sampleUpstreams } from '../support/fake-admin-subject.ts';

const plain = (one: Line) => painted(one, false);
const whole = (blocks: readonly Block[]) => printed(laid(blocks, Number.POSITIVE_INFINITY), false);
const renderStatus = (status: StatusView, upstreams: readonly UpstreamView[], width: number) =>
  whole(statusBlocks({ status, upstreams, rates: null }, width));
const renderSessions = (page: SessionPage, width: number) =>
  whole(sessionBlocks({ page, sort: null, isByRate: false, rates: null }, width));
const renderSession = (view: SessionView, width: number) => printed(sessionLines(view, width), false);
const renderUpstreams = (upstreams: readonly UpstreamView[], width: number) =>
  whole(upstreamBlocks(upstreams, null, width));

describe('a table', () => {
  interface Row {
    readonly name: string;
    readonly n: number;
  }
  const lines = (...given: Parameters<typeof table<Row>>) => {
    const { head, rows: below } = table(...given);
    return [head, ...below].map(plain);
  };
  const columns: readonly [Column<Row>, Column<Row>] = [
    left('NAME', ({ name }) => name, { gives: 8 }),
    right('N', ({ n }) => String(n)),
  ];
  const rows = [
    { name: 'short', n: 1 },
    { name: 'a name of many words', n: 12345 },
  ];

  test('is as wide as its content where there is room', () => {
    expect(lines(columns, rows, 80)).toEqual([
      'NAME                      N',
      'short                     1',
      'a name of many words  12345',
    ]);
  });

  test('shortens the column that gives, by no more than it takes', () => {
    expect(lines(columns, rows, 27)[2]).toBe('a name of many words  12345');
    expect(lines(columns, rows, 26)).toEqual([
      'NAME                     N',
      'short                    1',
      'a name of many w...  12345',
    ]);
    expect(lines(columns, rows, 15)[2]).toBe('a nam...  12345');
  });

  test('shortens the widest column that gives before others, none below what it says', () => {
    const [first, second] = columns;
    const both = [first, left<Row>('AGAIN', ({ name }) => name.slice(0, 14), { gives: 12 }), second];
    expect(lines(both, rows, 43)[2]).toBe('a name of many words  a name of many  12345');
    expect(lines(both, rows, 37)[2]).toBe('a name of m...  a name of many  12345');
    expect(lines(both, rows, 35)[2]).toBe('a name of ...  a name of ...  12345');
    expect(lines(both, rows, 29)[2]).toBe('a nam...  a name of...  12345');
  });

  test('leaves out columns that may go, those that say nothing first, and is cut where that is not enough', () => {
    const more = [
      ...columns,
      right<Row>('LAST', () => 'aaaa', { rank: 2 }),
      right<Row>('PAIR', () => 'bbbb', { rank: 1 }),
      left<Row>('NONE', () => '-', { rank: 1 }),
      right<Row>('TWIN', () => 'cccc', { rank: 1 }),
    ];
    const headAt = (width: number) => lines(more, rows, width)[0]?.split(/ {2,}/).join(' ');
    expect(headAt(39)).toBe('NAME N LAST PAIR NONE TWIN');
    expect(headAt(38)).toBe('NAME N LAST PAIR TWIN');
    expect([headAt(33), headAt(32)]).toEqual(['NAME N LAST PAIR TWIN', 'NAME N PAIR TWIN']);
    expect([headAt(27), headAt(26)]).toEqual(['NAME N PAIR TWIN', 'NAME N']);
    expect(lines(more, rows, 12)[2]).toBe('a nam...  12345'.slice(0, 9).concat('...'));
    expect(lines(more, rows, 2)[2]).toBe('..');
  });

  test('lets nothing through that a terminal would obey', () => {
    const odd = [{ name: '\x1b[2J\u202e\u009b\n\u{1f600}', n: 1 }];
    expect(lines(columns, odd, 80)[1]).toBe('\\u001b[2J\\u202e\\u009b\\u000a\\ud83d\\ude00  1');
  });
});

describe('blocks in a height', () => {
  const blockOf = (name: string, count: number, beyond = 0): Block => ({
    head: [line(name)],
    rows: Array.from({ length: count }, (_, index) => line(`${name}${index}`)),
    beyond: { count: beyond, hint: '!' },
  });
  const at = (height: number, ...blocks: Block[]) => laid(blocks, height).map(plain).join('|');

  test('all of it where there is room, else as many rows as go in, and how many more there are', () => {
    expect([at(4, blockOf('a', 3)), at(3, blockOf('a', 3))]).toEqual(['a|a0|a1|a2', 'a|a0|... 2 more!']);
    expect([at(2, blockOf('a', 3)), at(1, blockOf('a', 3))]).toEqual(['a|... 3 more!', 'a']);
    expect(at(Number.POSITIVE_INFINITY, blockOf('a', 2, 1200))).toBe('a|a0|a1|... 1 200 more!');
    expect(at(3, blockOf('a', 2, 5))).toBe('a|a0|... 6 more!');
  });

  test('blocks share what there is; one that wants little leaves it to the others', () => {
    expect(at(11, blockOf('a', 1), blockOf('b', 9), blockOf('c', 9))).toBe(
      'a|a0||b|b0|... 8 more!||c|c0|c1|... 7 more!',
    );
    // There is no row for each: the last ones go.
    expect(at(7, blockOf('a', 9), blockOf('b', 9), blockOf('c', 9))).toBe(
      'a|... 9 more!||b|b0|... 8 more!|... 1 more table',
    );
  });
});

test('a line in colour says the same', () => {
  const one = line('is ', piece('DOWN', 'bad'), piece('\x1b[2J', 'good'));
  expect(painted(one, false)).toBe('is DOWN\\u001b[2J');
  expect(painted(one, true)).toBe('is \x1b[31mDOWN\x1b[0m\x1b[32m\\u001b[2J\x1b[0m');
});

test('words go on in the next line, set in; a word longer than a line is parted', () => {
  expect(wrapped('one two three', 13, 2)).toEqual(['one two three']);
  expect(wrapped('one two three', 12, 2)).toEqual(['one two', '  three']);
  expect(wrapped('  name   abcdefgh ij', 10, 4)).toEqual(['  name', '    abcdef', '    gh ij']);
});

test('status in 80 columns: no line is longer, whole facts go on in the next one', () => {
  const lines = renderStatus(sampleStatus, sampleUpstreams, 80).split('\n');
  expect(lines.filter((one) => one.length > 80)).toEqual([]);
  expect(lines.slice(1, 3)).toEqual([
    'sessions 1 234 of 10 000, 56 789 in all; handshakes 3; buffered 256KiB;',
    '  memory 100MiB',
  ]);
});

test('status with what goes on a second', () => {
  const rate = { sessions: 1.5, messages: 12_000, bytes: 2048 };
  const rates = {
    routes: new Map([
      ['', rate],
      ['chat', rate],
    ]),
    targets: new Map(),
  };
  const lines = whole(statusBlocks({ status: sampleStatus, upstreams: [], rates }, 80)).split('\n');
  expect(lines[3]).toBe('a second: 1.5 new sessions, 12 000 messages, 2KiB');
  expect(lines.slice(-3)).toEqual([
    'ROUTE  STATE  SESSIONS  NEW/S  MESSAGES/S  BYTES/S  REFUSED  PAUSED',
    'chat   open      1 234    1.5      12 000     2KiB        7       1',
    '',
  ]);
});

test('status', () => {
  expect(renderStatus(sampleStatus, sampleUpstreams, 120)).toBe(
    [
      'framegate 1.2.3  READY  up 2h  pid 42',
      'sessions 1 234 of 10 000, 56 789 in all; handshakes 3; buffered 256KiB; memory 100MiB',
      'refused no_route 5, too_many_handshakes 2',
      'config config.yaml; loaded 2025-01-01T00:00:00.000Z; never reloaded',
      'listening on 127.0.0.1:8080 (public), 1 240 connections',
      '',
      'ROUTE  STATE  SESSIONS  LIMIT   TOTAL  REFUSED  PAUSED        FROM CLIENT        FROM BACKEND',
      'chat   open      1 234      -  56 789        7       1  1 204 311 / 86MiB  2 000 000 / 858MiB',
      '',
      'UPSTREAM  TARGET  STATE     SINCE  WHY    SESSIONS  LIMIT  HANDSHAKES  WEIGHT  SHARE   TOTAL  SOURCE',
      'chat      a       draining   2.5m  admin     1 234  5 000           2       1    0 %  56 789  config',
      '',
      'UPSTREAM  TARGET  CONNECT P50    P99  UPGRADE P50   P99  LAST CHECK  DIALS FAILED  FAILURES  EJECTIONS',
      'chat      a            0.61ms  4.2ms        1.4ms  31ms  ok 4s ago              2         1          3',
      '',
    ].join('\n'),
  );
});

test('status of older processes that are left of restarts', () => {
  const before = [{ pid: 41, state: 'draining', sessions: 1234 }];
  const lines = renderStatus({ ...sampleStatus, before }, [], 120).split('\n');
  expect(lines[2]).toBe('older process 41  DRAINING  sessions 1 234');
});

test('status of several processes: a line for each worker', () => {
  const workers = [
    { worker: 1, pid: 4711, state: 'ready', sessions: 1234, memory_bytes: 104_857_600 },
    { worker: 2, pid: 4712, state: 'silent', sessions: 0, memory_bytes: 0 },
  ] as const;
  const lines = renderStatus({ ...sampleStatus, workers }, [], 80).split('\n');
  const at = lines.findIndex((one) => one.startsWith('WORKER'));
  expect(lines.slice(at, at + 4)).toEqual([
    'WORKER  STATE   SESSIONS  MEMORY   PID',
    '     1  ready      1 234  100MiB  4711',
    '     2  silent         0      0B  4712',
    '',
  ]);
});

test('status of requests without upgrade, where some route serves them', () => {
  const [route] = sampleStatus.routes;
  if (route === undefined) throw new Error('a route');
  const routes = [route, { ...route, name: 'page', upstream: null, http: 'web', http_requests: 1200 }];
  const lines = renderStatus({ ...sampleStatus, routes }, [], 120).split('\n');
  expect(lines[1]).toContain('handshakes 3; requests 2; buffered');
  expect(
    lines.filter((line) => /^(?:ROUTE|chat|page) /.test(line)).map((line) => line.trim().split(/ {2,}/).at(-1)),
  ).toEqual(['REQUESTS', '-', '1 200']);
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

test('status of a certificate that is waited for', () => {
  const [listener] = sampleStatus.listeners;
  if (listener === undefined) throw new Error('a listener');
  const lineOf = (tls_refused: boolean, next_try: string | null) => {
    const waiting = [{ name: 'a.test', tls_refused, next_try }];
    return renderStatus({ ...sampleStatus, listeners: [{ ...listener, waiting }] }, [], 120).split('\n')[5];
  };
  expect(lineOf(true, null)).toBe('  certificate a.test: none yet, TLS is refused, it is being ordered');
  expect(lineOf(false, 'then')).toBe(
    '  certificate a.test: none yet, next try then; "acme.failed" in the log says why',
  );
});

test('sessions', () => {
  const lines = renderSessions({ sessions: [sampleSession], next: 'cafe-1', more: 11 }, 160).split('\n');
  const cells = lines.map((line) => line.split(/ {2,}/));
  expect(cells).toEqual([
    [
      ...['ID', 'STATE', 'ROUTE', 'TARGET', 'CLIENT', 'IDENTITY', 'EXPIRES'],
      ...['AGE', 'SILENT', 'RTT'],
      ...['FROM CLIENT', 'FROM BACKEND', 'BUFFERED', 'PATH'],
    ],
    [
      ...['cafe-1', 'paused', 'chat', 'a', '192.0.2.7', 'users/acme', '1h', '1.5m', '20ms', '12ms'],
      ...['12 / 3.3KiB', '34 567 / 8.6MiB', '256KiB', '/chat/a?token=***'],
    ],
    ['... 11 more: --after cafe-1'],
    [''],
  ]);
  expect(renderSessions({ sessions: [], next: null, more: 0 }, 160)).toBe('no sessions\n');
});

test('what sessions are sorted by has its column in a narrow terminal: in all, or in the last second', () => {
  const page = { sessions: [sampleSession], next: null, more: 0 };
  const headOf = (isByRate: boolean) =>
    whole(sessionBlocks({ page, sort: 'bytes', isByRate, rates: new Map() }, 50)).split('\n')[0];
  expect(headOf(false)).toMatch(/FROM CLIENT +FROM BACKEND/);
  expect(headOf(true)).toContain('BYTES/S');
  expect(headOf(true)).not.toContain('FROM CLIENT');
});

test('one session', () => {
  expect(renderSession({ ...sampleSession, peer: '10.0.0.1', reason: 'drain', state: 'closing' }, 1000)).toBe(
    [
      'session       cafe-1',
      'state         closing (drain)',
      'route         chat',
      'path          /chat/a?token=***',
      'client        192.0.2.7 through 10.0.0.1',
      'listener      public',
      'upstream      chat, target a',
      'request id    r1',
      'auth          users, identity acme',
      'expires       in 1h, 2027-01-31T00:00:00.000Z',
      'age           1.5m',
      'ping          12ms there and back',
      'from client   12 messages, 3.3KiB, largest 900B; silent 800ms; 0B waiting, 0 pauses',
      'from backend  34 567 messages, 8.6MiB, largest 63KiB; silent 20ms; 256KiB waiting, 4 pauses, ' +
        'not read now: the other side does not take it',
      '',
    ].join('\n'),
  );
});

describe('upstreams', () => {
  const [chat] = sampleUpstreams;
  const [a] = chat?.targets ?? [];
  if (chat === undefined || a === undefined) throw new Error('a sample');
  const never = {
    check: null,
    why: null,
    state_ms: null,
    connect: null,
    upgrade: null,
    failures: null,
    ejections: 0,
  } as const;

  test('where sessions go, and how targets fare', () => {
    const b = { ...a, ...never, name: 'b', state: 'up', share: 2 / 3, weight: 2, backup: true, source: 'dns' } as const;
    const discovery = { kind: 'dns', targets: 1, age_ms: 4_000, failing_ms: null, error: null };
    expect(renderUpstreams([{ ...chat, discovery, targets: [a, b] }], 120)).toBe(
      [
        'chat  least_sessions; 1 of 2 targets up; handshakes 3, 0 queued',
        'found by dns: 1 targets, last good answer 4s ago',
        '',
        'TARGET  STATE     SINCE  WHY    SESSIONS  LIMIT  HANDSHAKES    WEIGHT  SHARE   TOTAL  SOURCE',
        'a       draining   2.5m  admin     1 234  5 000           2         1    0 %  56 789  config',
        'b       up            -  -         1 234  5 000           2  2 backup   67 %  56 789  dns',
        '',
        'TARGET  CONNECT P50    P99  UPGRADE P50   P99  LAST CHECK  DIALS FAILED  FAILURES  EJECTIONS',
        'a            0.61ms  4.2ms        1.4ms  31ms  ok 4s ago              2         1          3',
        'b                 -      -            -     -  -                      2         -          0',
        '',
      ].join('\n'),
    );
  });

  test('a check that met a wrong status says which', () => {
    const check = { result: 'status', cause: '404', age_ms: 4_000, took_ms: 1 };
    expect(renderUpstreams([{ ...chat, targets: [{ ...a, check }] }], 120)).toContain('  status 404, 4s ago  ');
  });

  test('fit 120 columns with the longest words there are, the name of the target giving way', () => {
    const long = {
      ...a,
      name: 'a-backend-with-a-rather-long-name.eu-central-1.internal.example:9001',
      weight: 256,
      backup: true,
      share: 1,
      why: 'discovery',
      source: 'kubernetes',
      sessions: 10_000_000,
      sessions_limit: 10_000_000,
      sessions_total: 1e10,
      handshakes: 100_000,
      state_ms: 99.4 * 86_400_000,
      dials_failed: 1e9,
      ejections: 1e6,
      check: { result: 'backend_unreachable', cause: 'ECONNREFUSED', age_ms: 99 * 86_400_000, took_ms: 1 },
    } as const;
    const lines = renderUpstreams([{ ...chat, targets: [long] }], 120).split('\n');
    expect(lines.filter((line) => line.length > 120)).toEqual([]);
    expect(lines.join('\n')).toContain('\na-back...  draining');
  });

  test('discovery that fails, or has found nothing yet', () => {
    const lineOf = (change: object) => {
      const discovery = { kind: 'file', targets: 0, age_ms: null, failing_ms: null, error: null, ...change };
      return renderUpstreams([{ ...chat, discovery, targets: [] }], 120).split('\n')[1];
    };
    expect(lineOf({})).toBe('found by file: 0 targets, no good answer yet');
    expect(lineOf({ age_ms: 90_000, targets: 2, failing_ms: 5_000, error: 'ENOENT\n' })).toBe(
      'found by file: 2 targets, last good answer 1.5m ago; FAILING for 5s: ENOENT\\u000a',
    );
  });
});
