// The page's memory of the last minutes and the last hour.

import { describe, expect, test } from 'vitest';
import type { Figure, Figures, HistorySpan } from '../../src/admin/page-types.ts';
import { Timeline } from '../../src/page/timeline.ts';

const NOTHING: Figures = {
  sessions: null,
  opened_per_s: null,
  ended_per_s: null,
  refused_per_s: null,
  http_requests_per_s: null,
  messages_from_client_per_s: null,
  messages_from_backend_per_s: null,
  bytes_from_client_per_s: null,
  bytes_from_backend_per_s: null,
  limit_hits_per_s: null,
  paused: null,
  buffered_bytes: null,
  ping_rtt_ms: null,
  memory_bytes: null,
  loop_lag_ms: null,
  cpu_share: null,
};
const names = Object.keys(NOTHING) as Figure[];
const figures = (known: Partial<Figures>): Figures => ({ ...NOTHING, ...known });

function span(step: number, until: number, sessions: readonly number[]): HistorySpan {
  const columns = names.map((name) => [name, name === 'sessions' ? sessions : sessions.map(() => null)]);
  return { step_ms: step, until, figures: Object.fromEntries(columns) };
}

function loaded(): Timeline {
  const timeline = new Timeline();
  timeline.load({ seconds: span(1000, 100_000, [1, 2, 3]), tens: span(10_000, 100_000, [1, 3]) });
  return timeline;
}

describe('a timeline', () => {
  test('begins as the history, whose last step ends at `until`', () => {
    const { minutes, hour } = loaded();
    expect([minutes.times, minutes.column('sessions')]).toEqual([
      [98, 99, 100],
      [1, 2, 3],
    ]);
    expect([hour.times, hour.column('paused')]).toEqual([
      [90, 100],
      [null, null],
    ]);
  });

  test('takes each second once, and not one that the history has', () => {
    const timeline = loaded();
    timeline.add(100_000, figures({ sessions: 9 }));
    timeline.add(101_000, figures({ sessions: 4 }));
    timeline.add(101_000, figures({ sessions: 5 }));
    expect(timeline.minutes.column('sessions')).toEqual([1, 2, 3, 4]);
  });

  test('ten seconds are one step of the hour: rates as means, the loop at its longest, the rest as it was last', () => {
    const timeline = loaded();
    for (let i = 1; i <= 10; i += 1) {
      timeline.add(
        100_000 + i * 1000,
        figures({ sessions: i, opened_per_s: i, loop_lag_ms: i === 4 ? 90 : 1, cpu_share: null }),
      );
    }
    const { hour } = timeline;
    const last = (name: Figure): number | null | undefined => hour.column(name).at(-1);
    expect(hour.times).toEqual([90, 100, 110]);
    expect([last('sessions'), last('opened_per_s'), last('loop_lag_ms'), last('cpu_share')]).toEqual([
      10,
      5.5,
      90,
      null,
    ]);
  });

  test('holds 600 seconds and 360 tens, however long it goes on', () => {
    const timeline = loaded();
    for (let i = 1; i <= 4000; i += 1) timeline.add(100_000 + i * 1000, figures({ sessions: i }));
    for (const [one, steps] of [
      [timeline.minutes, 600],
      [timeline.hour, 360],
    ] as const) {
      expect([one.times.length, one.column('sessions').length, one.column('paused').length]).toEqual([
        steps,
        steps,
        steps,
      ]);
      expect(one.until).toBe(4_100_000);
    }
  });
});
