import { describe, expect, test } from 'vitest';
import { loadObject } from '../../src/config/load.ts';
import { type AdviceInput, advise } from '../../src/observe/advice.ts';
import { renderAdvice } from '../../src/observe/advice-text.ts';
import { adviseCap } from '../../src/observe/cap-advice.ts';
import { adviseExpiry, expiryLines } from '../../src/observe/expiry-advice.ts';
import { HttpMetrics } from '../../src/observe/http-metrics.ts';
import type { LimitAdvice } from '../../src/observe/limit-advice.ts';
import { RouteMetrics } from '../../src/observe/metrics.ts';
import { TrafficProfile } from '../../src/observe/profile.ts';
import { countText, durationText, groupedText, shareText, sizeText } from '../../src/observe/quantities.ts';
import { adviceInput, chatProfile } from '../support/sample-advice.ts';

const KIB = 1024;
const MIB = KIB * KIB;
const OFF = Number.POSITIVE_INFINITY;
const input = adviceInput;

function limitOf(name: string, given: AdviceInput): LimitAdvice {
  const [route] = advise([given], 1000).routes;
  const all = [...(route?.from_client.limits ?? []), ...(route?.from_backend.limits ?? []), ...(route?.timeouts ?? [])];
  const found = all.find(({ key }) => key === name);
  if (found === undefined) throw new Error(`no advice on ${name}`);
  return found;
}

test('takes the limits and timeouts of a route of the config as they are', () => {
  const [route] = loadObject({ routes: [{ upstream: 'ws://b' }] }, { baseDir: '.' }).config.routes;
  if (route === undefined) throw new Error('one route was given');
  const { limits, timeouts } = route;
  const advice = advise([input(chatProfile(), { limits, timeouts })], 1000).routes[0];
  expect(advice?.from_client.limits[0]).toMatchObject({ value: MIB, verdict: 'loose' });
  for (const { key } of advice?.timeouts ?? []) expect(timeouts).toHaveProperty(key.slice('timeouts.'.length));
  for (const { key } of advice?.from_client.limits ?? []) expect({ limits }).toHaveProperty(key);
});

describe('a limit', () => {
  test('says what it would have refused at its present value and at round values around the largest seen', () => {
    expect(limitOf('limits.from_client.max_message_size', input(chatProfile()))).toEqual({
      key: 'limits.from_client.max_message_size',
      unit: 'bytes',
      of: 'messages',
      value: MIB,
      seen: 1000,
      largest: 18 * KIB,
      largest_refused: null,
      hits: 0,
      refused: 0,
      candidates: [
        { value: 8 * KIB, refused: 10 },
        { value: 16 * KIB, refused: 10 },
        { value: 32 * KIB, refused: 0 },
        { value: 64 * KIB, refused: 0 },
      ],
      verdict: 'loose',
      suggested: 64 * KIB,
      provisional: true,
    });
  });

  test.each([
    [18 * KIB, 'tight'],
    [22 * KIB, 'tight'],
    [23 * KIB, 'fits'],
    [143 * KIB, 'fits'],
    [144 * KIB, 'loose'],
    [OFF, 'off'],
  ])('of %s bytes with 18 KiB as the largest seen is %s', (max_message_size, verdict) => {
    const given = input(chatProfile());
    const limits = { ...given.limits, from_client: { ...given.limits.from_client, max_message_size } };
    expect(limitOf('limits.from_client.max_message_size', { ...given, limits }).verdict).toBe(verdict);
  });

  test('that refused something is tight, however little else was seen', () => {
    const hits = (direction: string, key: string) => (direction === 'from_client' && key === 'max_fragments' ? 2 : 0);
    const advice = limitOf('limits.from_client.max_fragments', input(new TrafficProfile(), { hits }));
    expect(advice).toMatchObject({ seen: 0, hits: 2, verdict: 'tight', suggested: null, candidates: [] });
  });

  test('on which too little was seen gets no judgement: 99 values do not do, 100 do', () => {
    const profile = new TrafficProfile();
    for (let count = 0; count < 99; count += 1) profile.recordQuiet(10);
    expect(limitOf('timeouts.idle', input(profile))).toMatchObject({ verdict: 'too_few', suggested: null });
    profile.recordQuiet(10);
    expect(limitOf('timeouts.idle', input(profile))).toMatchObject({ verdict: 'loose', suggested: 60_000 });
  });

  test('of both directions is judged by the direction that comes closer to it', () => {
    const profile = new TrafficProfile();
    for (let count = 0; count < 100; count += 1) profile.fromClient.recordStall(5);
    for (let count = 0; count < 100; count += 1) profile.fromBackend.recordStall(50_000);
    expect(limitOf('timeouts.message_stall', input(profile))).toMatchObject({ largest: 50_000, verdict: 'tight' });
  });

  test('is never advised below what anybody may need, however little was seen', () => {
    const profile = new TrafficProfile();
    for (let count = 0; count < 100; count += 1) profile.fromClient.recordMessages(3, 1);
    for (let count = 0; count < 100; count += 1) profile.recordQuiet(5);
    const given = input(profile);
    expect(limitOf('limits.from_client.max_message_size', given).suggested).toBe(KIB);
    expect(limitOf('limits.from_client.max_fragments', given).suggested).toBe(16);
    expect(limitOf('timeouts.idle', given).suggested).toBe(60_000);
    // Twice the largest seen, once that is more.
    profile.fromClient.recordMessages(513, 1);
    profile.recordQuiet(30_001);
    expect(limitOf('limits.from_client.max_message_size', given).suggested).toBe(2 * KIB);
    expect(limitOf('timeouts.idle', given).suggested).toBe(120_000);
  });

  test('counts what it refused, and advises no value that would refuse it again', () => {
    const profile = new TrafficProfile();
    for (let count = 0; count < 100; count += 1) profile.fromClient.recordMessages(600, 1);
    const hits = (_direction: string, key: string) => (key === 'max_message_size' ? 2 : 0);
    const advised = (largest: number) => {
      const given = input(profile, { hits, largestRefused: () => largest });
      const limits = { ...given.limits, from_client: { ...given.limits.from_client, max_message_size: KIB } };
      return { ...given, limits };
    };
    const name = 'limits.from_client.max_message_size';
    expect(limitOf(name, advised(2 * KIB))).toMatchObject({ suggested: 2 * KIB });
    const beyond = limitOf(name, advised(2 * KIB + 1));
    expect(beyond).toMatchObject({ suggested: null, provisional: false });
    for (const { value, refused } of beyond.candidates) expect(refused === 0).toBe(value > 2 * KIB);
    expect(renderAdvice(advise([advised(2 * KIB + 1)], 1000))).toContain(
      '4KiB would have refused 0 of 102 messages, 2KiB at most 2 (2 %); refused 2 so far, the largest 2049B\n',
    );
  });

  test('tells the largest that it refused', () => {
    const hits = (_direction: string, key: string) => (key === 'max_message_size' ? 3 : 0);
    const largestRefused = () => 5 * MIB;
    const given = input(chatProfile(), { hits, largestRefused });
    const advice = limitOf('limits.from_client.max_message_size', given);
    expect(advice).toMatchObject({ largest: 18 * KIB, largest_refused: 5 * MIB, suggested: null });
    expect(limitOf('limits.from_client.messages_per_second', given).largest_refused).toBeNull();
    expect(renderAdvice(advise([given], 1000))).toContain('refused 3 so far, the largest 5MiB\n');
  });

  test('of a day or more is not provisional', () => {
    const suggestions = (watchedMs: number) =>
      advise([input(chatProfile())], watchedMs).routes[0]?.from_client.limits.map(({ provisional }) => provisional);
    expect(suggestions(86_399_999)?.[0]).toBe(true);
    expect(suggestions(86_400_000)).toEqual([false, false, false, false]);
  });

  test('is JSON all through: off is null', () => {
    const advice = advise([input(chatProfile())], 1000);
    expect(JSON.parse(JSON.stringify(advice))).toEqual(advice);
    expect(limitOf('timeouts.lifetime', input(chatProfile())).value).toBeNull();
  });
});

describe('as text', () => {
  const text = renderAdvice(advise([input(chatProfile())], 7_200_000));

  test('has a table and a sentence for each limit', () => {
    expect(text).toContain('Traffic of 2h, since the start of the process.');
    expect(text).toContain(
      '  546 sessions from 12 clients, 34 of them open; half of those that ended lasted 1m or less',
    );
    expect(text).toMatch(/from_client +seen +p50 +p99 +p99\.9 +max\n/);
    expect(text).toMatch(/message size +1000 +128B +160B +18KiB +18KiB\n/);
    expect(text).toContain(
      'loose   max_message_size 1MiB: largest seen 18KiB; 32KiB would have refused 0 of 1000 messages, ' +
        '16KiB 10 (1 %); try 64KiB (of less than a day)\n',
    );
    expect(text).toContain(
      'messages_per_second off: largest seen 10; 10 would have refused 0 of 1000 busy seconds, 5 at most 500 (50 %)',
    );
    expect(text).toContain('-       message_stall 1m: no pauses inside messages seen');
  });

  test('says how many clients there were, and that there may have been more', () => {
    const from = (clients: number) => renderAdvice(advise([input(chatProfile(), { clients })], 1000));
    expect(from(1)).toContain('546 sessions from 1 client,');
    expect(from(99)).toContain('546 sessions from 99 clients,');
    expect(from(100)).toContain('546 sessions from 100 clients or more,');
  });

  test('has a block for the caps on the whole process', () => {
    const caps = [
      { key: 'limits.max_sessions', unit: 'count', value: 1000, peak: 790, refused: 0 } as const,
      { key: 'limits.max_handshakes', unit: 'count', value: 1000, peak: 1000, refused: 2999 } as const,
      { key: 'limits.max_buffered_total', unit: 'bytes', value: OFF, peak: null, refused: 0 } as const,
    ];
    const watched = 1000;
    const advice = advise(
      [],
      watched,
      caps.map((cap) => adviseCap(cap, watched)),
    );
    expect(JSON.parse(JSON.stringify(advice))).toEqual(advice);
    expect(renderAdvice(advice)).toContain(
      [
        'all routes together',
        '    fits    max_sessions 1000: at most 790 at a time',
        '    tight   max_handshakes 1000: at most 1000 at a time; try 2000 (of less than a day); refused 2 999 so far',
        '    off     max_buffered_total off: not counted while it is off',
      ].join('\n'),
    );
    const near = { key: 'limits.max_sessions', unit: 'count', value: 1000, peak: 800, refused: 0 } as const;
    expect(adviseCap(near, 86_400_000)).toMatchObject({
      verdict: 'tight',
      suggested: 2000,
      provisional: false,
    });
  });

  test('is plain printable text', () => {
    expect(text).toMatch(/^[\x20-\x7e\n]*$/);
  });

  test('says so when there is nothing to say', () => {
    expect(renderAdvice(advise([], 0))).toContain('No route to give advice on.');
    const quiet = renderAdvice(advise([input(new TrafficProfile(), { sessionsTotal: 0, sessionsOpen: 0 })], 0));
    expect(quiet).toContain('no sessions seen yet');
  });
});

test.each([
  [
    sizeText,
    [0, 1, 99, 512, 1023, 1024, 18 * KIB, 1.5 * KIB, 1023.6 * KIB, MIB, 5 * KIB * MIB, OFF],
    '0B 1B 99B 512B 1023B 1KiB 18KiB 1.5KiB 1MiB 1MiB 5GiB off',
  ],
  [
    durationText,
    [0, 340, 999.7, 4_200, 59_960, 60_000, 2_580_000, 5_400_000, 86_400_000, 172_800_000, OFF],
    '0ms 340ms 1s 4.2s 1m 1m 43m 1.5h 24h 2d off',
  ],
  [countText, [0, 0.2, 34, 1204, OFF], '0 0.2 34 1204 off'],
  [groupedText, [0, 999, 1000], '0 999 1 000'],
])('%o writes numbers as people do', (text, values, expected) => {
  expect(values.map(text).join(' ')).toBe(expected);
});

test('shares are never rounded to nothing', () => {
  expect([shareText(0, 5), shareText(0, 0), shareText(1, 3), shareText(1, 10_000_000)]).toEqual([
    '0 %',
    '0 %',
    '33 %',
    'under 0.001 %',
  ]);
});

describe('sessions that their credentials cut short', () => {
  test.each([
    [9, 9, 'too_few'],
    [10, 5, 'fits'],
    [10, 6, 'tight'],
  ] as const)('of %i that ended %i: %s', (ended, early, verdict) => {
    const advice = adviseExpiry(ended, early);
    expect([advice.verdict, expiryLines(advice).length > 0]).toEqual([verdict, verdict === 'tight']);
  });

  test('are those that credential_expired ended within 15 minutes', () => {
    const metrics = new RouteMetrics('chat');
    for (const seconds of [1, 900, 901]) metrics.sessionEnded('proxy', 'credential_expired', 3000, seconds);
    metrics.sessionEnded('proxy', 'drain', 1012, 1);
    expect(metrics.expiredEarly).toBe(2);
  });
});

describe('requests without upgrade', () => {
  const timeouts = {
    response: 120_000,
    connect: 5_000,
    open: 15_000,
    body: 60_000,
    idle: 3_600_000,
    write_stall: 60_000,
  };

  function seen(bodyBytes: number, responseMs: number): HttpMetrics {
    const metrics = new HttpMetrics();
    for (let index = 0; index < 200; index += 1) {
      metrics.request(200, 1, false);
      metrics.bodySize.record(bodyBytes);
      metrics.responseTime.record(responseMs);
    }
    return metrics;
  }

  function routeOf(metrics: HttpMetrics | null) {
    const http = metrics === null ? null : { metrics, limits: { max_body_size: 10 * MIB }, timeouts };
    const [route] = advise([input(new TrafficProfile(), { sessionsTotal: 0, http })], 1000).routes;
    if (route === undefined) throw new Error('one route was given');
    return route;
  }

  const verdicts = (metrics: HttpMetrics) =>
    routeOf(metrics).http?.limits.map(({ key, verdict, suggested }) => [key, verdict, suggested]);

  test('are told how near they come to their bounds, with room for what is rare', () => {
    expect(verdicts(seen(100, 5))).toEqual([
      ['limits.max_body_size', 'loose', MIB],
      ['timeouts.response', 'loose', 30_000],
    ]);
    expect(verdicts(seen(8 * MIB, 96_000))).toEqual([
      ['limits.max_body_size', 'tight', 16 * MIB],
      ['timeouts.response', 'tight', 300_000],
    ]);
    expect(verdicts(seen(4 * MIB, 60_000))).toMatchObject([
      [expect.anything(), 'fits', 8 * MIB],
      [expect.anything(), 'fits', 120_000],
    ]);
  });

  test('what ended some is tight, measured or not', () => {
    const metrics = seen(100, 5);
    for (const key of ['max_body_size', 'response', 'body', 'open']) metrics.limitEnds.add(key);
    expect(verdicts(metrics)?.map(([key, verdict]) => `${key} ${verdict}`)).toEqual([
      'limits.max_body_size tight',
      'timeouts.response tight',
      'timeouts.open tight',
      'timeouts.body tight',
    ]);
    expect(renderAdvice({ watched_ms: 1, caps: [], routes: [routeOf(metrics)] })).toContain(
      '    tight   body 1m: no measured waits seen; refused 1 so far\n',
    );
  });

  test('as text stand behind the sessions, and only where there are some', () => {
    const text = (metrics: HttpMetrics | null) => renderAdvice({ watched_ms: 1, caps: [], routes: [routeOf(metrics)] });
    expect(text(null)).not.toContain('without upgrade');
    expect(text(new HttpMetrics())).toContain('  no sessions seen yet\n\n  0 requests without upgrade seen yet\n');
    expect(text(seen(2048, 20))).toContain('  200 requests without upgrade\n');
    expect(text(seen(2048, 20))).toMatch(/^ {4}size of a body +200 +2KiB/m);
  });
});
