// Says what the limits and timeouts of requests without upgrade would have refused of those of a route. Pure, as
// advice.ts is.

import { LogLinearHistogram, type Summary } from './histogram.ts';
import type { HttpMetrics } from './http-metrics.ts';
import { adviseLimit, type LimitAdvice, type Question } from './limit-advice.ts';

/** What was seen of them on a route, and what they may do now. Bytes, milliseconds; Infinity is off. */
export interface HttpSeen {
  readonly metrics: HttpMetrics;
  readonly limits: { readonly max_body_size: number };
  readonly timeouts: Readonly<Record<'response' | Unmeasured, number>>;
}

/** What is waited for in these has no distribution: only whom they ended is known. */
const UNMEASURED = ['connect', 'open', 'body', 'idle', 'write_stall'] as const;
type Unmeasured = (typeof UNMEASURED)[number];

export interface HttpAdvice {
  readonly requests: number;
  /** Of those that had a body. */
  readonly body_size: Summary;
  /** From a request sent to the head of its answer. */
  readonly response_ms: Summary;
  /** Those that were measured, and those that ended a request. */
  readonly limits: readonly LimitAdvice[];
}

export function adviseHttp({ metrics, limits, timeouts }: HttpSeen, watchedMs: number): HttpAdvice {
  const { bodySize, responseTime, limitEnds } = metrics;
  const hits = (key: string): number => limitEnds.of(key);
  const timeout = (key: 'response' | Unmeasured, of: string, histogram = NOTHING): LimitAdvice =>
    adviseLimit({
      ...SIZELESS,
      key: `timeouts.${key}`,
      of,
      value: timeouts[key],
      histogram,
      hits: hits(key),
      watchedMs,
    });
  const ended = UNMEASURED.filter((key) => hits(key) > 0);
  return {
    requests: metrics.duration.count,
    body_size: bodySize.summary(),
    response_ms: responseTime.summary(),
    limits: [
      adviseLimit({
        key: 'limits.max_body_size',
        unit: 'bytes',
        of: 'bodies',
        value: limits.max_body_size,
        histogram: bodySize,
        hits: hits('max_body_size'),
        largestRefused: 0,
        watchedMs,
      }),
      timeout('response', 'answers', responseTime),
      ...ended.map((key) => timeout(key, 'measured waits')),
    ],
  };
}

/** Nothing is ever recorded there. */
const NOTHING = new LogLinearHistogram();
const SIZELESS = { unit: 'ms', largestRefused: 0 } as const satisfies Partial<Question>;
