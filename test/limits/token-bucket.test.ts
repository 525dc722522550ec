// Token buckets, and the rates of a direction made of them: exact at both sides of every edge, and after days.

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DirectionRates, type RateLimits, RateVerdict } from '../../src/limits/rates.ts';
import { TokenBucket } from '../../src/limits/token-bucket.ts';

const OFF = Number.POSITIVE_INFINITY;
const RUNS = 300;
const DAY = 86_400_000;

describe('counts: one whole token', () => {
  test('the burst at once, not one more', () => {
    const bucket = new TokenBucket(10, 3, 0);
    expect([1, 2, 3, 4].map(() => bucket.takeOne(0))).toEqual([true, true, true, false]);
  });

  test('the next at the millisecond that completes a token, not one before', () => {
    for (const [rate, ms] of [
      [0.2, 5000],
      [0.001, 1_000_000],
      [0.3, 3334],
      [0.7, 1429],
      [1, 1000],
      [3, 334],
      [1000, 1],
    ] as const) {
      const bucket = new TokenBucket(rate, 1, 500);
      expect(bucket.takeOne(500)).toBe(true);
      expect(bucket.tokenMs(500)).toBe(ms);
      expect(bucket.takeOne(500 + ms - 1)).toBe(false);
      expect(bucket.tokenMs(500 + ms - 1)).toBe(1);
      expect(bucket.takeOne(500 + ms)).toBe(true);
    }
  });

  test('a refused one is not charged', () => {
    const bucket = new TokenBucket(1, 1, 0);
    bucket.takeOne(0);
    for (let ms = 0; ms < 1000; ms += 1) expect(bucket.takeOne(ms)).toBe(false);
    expect(bucket.takeOne(1000)).toBe(true);
  });

  test('a burst of 1.4, as twice a rate of 0.7 is, lets one through at once', () => {
    const bucket = new TokenBucket(0.7, 1.4, 0);
    expect([bucket.takeOne(0), bucket.takeOne(0)]).toEqual([true, false]);
    expect(bucket.tokenMs(0)).toBe(Math.ceil(600 / 0.7));
  });
});

describe('bytes: charged whole while not empty', () => {
  test('the last byte of room lets a frame of any size through, and it leaves a debt', () => {
    const bucket = new TokenBucket(100, 200, 0);
    expect(bucket.take(199, 0)).toBe(true);
    expect(bucket.take(1000, 0)).toBe(true);
    expect(bucket.take(1, 0)).toBe(false);
    expect(bucket.debtMs(0)).toBe(9991);
    expect(bucket.take(1, 9990)).toBe(false);
    expect(bucket.debtMs(9990)).toBe(1);
    expect(bucket.take(1, 9991)).toBe(true);
  });

  test('exactly empty is empty', () => {
    const bucket = new TokenBucket(100, 200, 0);
    expect(bucket.take(200, 0)).toBe(true);
    expect(bucket.isOpen(0)).toBe(false);
    expect(bucket.take(1, 0)).toBe(false);
    expect(bucket.take(1, 1)).toBe(true);
  });

  test('nothing costs nothing, also in debt', () => {
    const bucket = new TokenBucket(1, 1, 0);
    bucket.charge(100, 0);
    expect(bucket.take(0, 0)).toBe(true);
    expect(bucket.debtMs(0)).toBe(99_001);
  });

  test('the largest rates and frames stay exact', () => {
    const tib = 2 ** 40;
    const bucket = new TokenBucket(tib, 2 * tib, 0);
    expect(bucket.take(2 * tib - 1, 0)).toBe(true);
    expect(bucket.take(tib, 0)).toBe(true);
    expect(bucket.debtMs(0)).toBe(1000);
    expect(bucket.isOpen(999)).toBe(false);
    expect(bucket.isOpen(1000)).toBe(true);
  });
});

/** The same in whole numbers of any size. */
class Reference {
  private level: bigint;
  private since: bigint;
  private readonly full: bigint;
  private readonly perMs: bigint;
  static readonly TOKEN = 1_000_000n;

  constructor(milliRate: number, burst: number, now: number) {
    this.perMs = BigInt(milliRate);
    this.full = BigInt(burst) * Reference.TOKEN;
    this.level = this.full;
    this.since = BigInt(now);
  }

  refill(now: number): bigint {
    const gained = this.level + (BigInt(now) - this.since) * this.perMs;
    this.level = gained > this.full ? this.full : gained;
    this.since = BigInt(now);
    return this.level;
  }

  spend(amount: number): void {
    this.level -= BigInt(amount) * Reference.TOKEN;
  }
}

describe('over time', () => {
  const step = fc.tuple(
    fc.oneof(fc.nat(50), fc.nat(5000), fc.nat(DAY)),
    fc.nat(2000),
    fc.constantFrom('one', 'take', 'charge'),
  );

  test('every answer is that of exact arithmetic, for rates in thousandths', () => {
    const runs = fc.property(
      fc.oneof(
        fc.integer({ min: 1, max: 5000 }),
        fc.integer({ min: 1, max: 100_000 }).map((rate) => rate * 1000),
      ),
      fc.integer({ min: 1, max: 1000 }),
      fc.array(step, { maxLength: 60 }),
      (milliRate, burst, steps) => {
        let now = 1_000_000;
        const bucket = new TokenBucket(milliRate / 1000, burst, now);
        const reference = new Reference(milliRate, burst, now);
        for (const [ms, amount, how] of steps) {
          now += ms;
          const level = reference.refill(now);
          if (how === 'one') {
            const passes = level >= Reference.TOKEN;
            expect(bucket.takeOne(now)).toBe(passes);
            if (passes) reference.spend(1);
          } else if (how === 'take') {
            const passes = level > 0n || amount === 0;
            expect(bucket.take(amount, now)).toBe(passes);
            if (passes) reference.spend(amount);
          } else {
            bucket.charge(amount, now);
            reference.spend(amount);
          }
        }
      },
    );
    void fc.assert(runs, { numRuns: RUNS });
  });

  test('waiting as long as it says is enough, one millisecond less is not', () => {
    const runs = fc.property(
      fc.integer({ min: 1, max: 3_000_000 }),
      fc.integer({ min: 1, max: 100 }),
      fc.nat(1_000_000),
      (milliRate, burst, debt) => {
        const bucket = new TokenBucket(milliRate / 1000, burst, 0);
        bucket.charge(burst + debt, 0);
        const open = bucket.debtMs(0);
        expect(bucket.isOpen(open - 1)).toBe(false);
        expect(bucket.isOpen(open)).toBe(true);
        expect(bucket.debtMs(open)).toBe(0);
        const whole = open + bucket.tokenMs(open);
        if (whole > open) expect(bucket.hasOne(whole - 1)).toBe(false);
        expect(bucket.hasOne(whole)).toBe(true);
        expect(bucket.tokenMs(whole)).toBe(0);
      },
    );
    void fc.assert(runs, { numRuns: RUNS });
  });

  test.each([0.2, 0.7, 3, 29])('after days of asking again and again at %d a second nothing has drifted', (rate) => {
    const bucket = new TokenBucket(rate, 5, 0);
    const [days, step] = rate < 1 ? [30, 77] : [3, 7];
    const end = days * DAY - ((days * DAY) % step);
    let passed = 0;
    for (let now = 0; now <= end; now += step) if (bucket.takeOne(now)) passed += 1;
    expect(passed).toBe(5 + Math.floor((end * Math.round(rate * 1000)) / 1_000_000));
  });

  test('a clock with fractions loses none of them', () => {
    const bucket = new TokenBucket(1000, 1, 0.25);
    let passed = 0;
    for (let now = 0.25; now < 10_000; now += 0.3) if (bucket.takeOne(now)) passed += 1;
    expect(passed).toBe(10_000);
  });
});

describe('a clock that jumps', () => {
  test('forward: a full bucket, never more', () => {
    const bucket = new TokenBucket(1000, 3, 0);
    bucket.charge(1_000_000, 0);
    for (const now of [1e15, Number.MAX_SAFE_INTEGER, OFF]) {
      expect([1, 2, 3, 4].map(() => bucket.takeOne(now))).toEqual([true, true, true, false]);
    }
    expect(bucket.takeOne(5)).toBe(false);
    expect(bucket.takeOne(6)).toBe(true);
  });

  test('backward: nothing is given, and time goes on from there', () => {
    const bucket = new TokenBucket(1, 1, 1_000_000);
    expect(bucket.takeOne(1_000_000)).toBe(true);
    expect(bucket.takeOne(5)).toBe(false);
    expect(bucket.takeOne(1004)).toBe(false);
    expect(bucket.takeOne(1005)).toBe(true);
  });

  test('to no number: as if it stood still', () => {
    const bucket = new TokenBucket(1, 1, 0);
    bucket.takeOne(0);
    expect(bucket.takeOne(Number.NaN)).toBe(false);
    expect(bucket.takeOne(1000)).toBe(true);
  });
});

describe('off', () => {
  test('a rate of Infinity lets everything pass, at once and later', () => {
    const bucket = new TokenBucket(OFF, OFF, 0);
    expect(bucket.take(2 ** 52, 0)).toBe(true);
    expect(bucket.takeOne(0)).toBe(true);
    expect(bucket.takeOne(1)).toBe(true);
    expect([bucket.debtMs(1), bucket.tokenMs(1), bucket.isFull(1)]).toEqual([0, 0, true]);
  });
});

describe('retune', () => {
  test('tokens and debt are carried over one to one', () => {
    const bucket = new TokenBucket(10, 100, 0);
    bucket.charge(60, 0);
    bucket.retune(0.5, 200, 0);
    expect(Array.from({ length: 41 }, () => bucket.takeOne(0)).filter(Boolean)).toHaveLength(40);
    bucket.charge(10, 0);
    bucket.retune(10, 100, 0);
    expect(bucket.debtMs(0)).toBe(1001);
  });

  test('a lower burst takes the tokens above it, and never more', () => {
    const bucket = new TokenBucket(1, 100, 0);
    bucket.retune(1, 5, 0);
    bucket.retune(1, 100, 0);
    expect(Array.from({ length: 9 }, () => bucket.takeOne(0)).filter(Boolean)).toHaveLength(5);
  });

  test('the old rate holds until then, the new one from then on', () => {
    const bucket = new TokenBucket(1, 1, 0);
    bucket.takeOne(0);
    bucket.retune(0.001, 1, 500);
    expect(bucket.tokenMs(500)).toBe(500_000);
    bucket.retune(1000, 1, 500);
    expect(bucket.tokenMs(500)).toBe(1);
  });

  test('1000 reloads of the same, or of other, limits hand out no token', () => {
    const bucket = new TokenBucket(0.7, 3, 0);
    for (let i = 0; i < 3; i += 1) bucket.takeOne(0);
    for (let i = 0; i < 1000; i += 1) bucket.retune([0.7, 5, 0.3, 1000][i % 4] ?? 1, 3 + (i % 4), 0);
    expect(bucket.takeOne(0)).toBe(false);
    expect(bucket.isOpen(0)).toBe(false);
  });

  test('from off a bucket begins full, to off it lets all pass', () => {
    const bucket = new TokenBucket(OFF, OFF, 0);
    bucket.retune(1, 2, 0);
    expect([1, 2, 3].map(() => bucket.takeOne(0))).toEqual([true, true, false]);
    bucket.retune(OFF, OFF, 0);
    expect([1, 2, 3].map(() => bucket.takeOne(0))).toEqual([true, true, true]);
  });
});

describe('the rates of a direction', () => {
  const none: RateLimits = {
    messagesPerSecond: OFF,
    messageBurst: OFF,
    bytesPerSecond: OFF,
    byteBurst: OFF,
    controlFramesPerSecond: OFF,
    controlFrameBurst: OFF,
    onExceeded: 'close',
  };
  const { Pass, Close, Pause, Drop } = RateVerdict;

  test('without limits everything passes', () => {
    const rates = new DirectionRates(none, 0);
    expect(rates.dataFrame(true, 2 ** 40, 0)).toBe(Pass);
    expect([rates.ping(0), rates.pong(0), rates.pauseMs(0)]).toEqual([Pass, Pass, 0]);
  });

  test('messages are charged on their first frame only', () => {
    const rates = new DirectionRates({ ...none, messagesPerSecond: 1, messageBurst: 2 }, 0);
    expect([true, false, false, true, false].map((begins) => rates.dataFrame(begins, 9, 0))).toEqual([
      Pass,
      Pass,
      Pass,
      Pass,
      Pass,
    ]);
    expect(rates.dataFrame(true, 9, 999)).toBe(Close);
    expect(rates.exceeded).toBe('messages_per_second');
    expect(rates.dataFrame(true, 9, 1000)).toBe(Pass);
  });

  test('close: a frame whose bytes meet an empty bucket, a later fragment too; an empty one never', () => {
    const rates = new DirectionRates({ ...none, bytesPerSecond: 100, byteBurst: 200 }, 0);
    expect(rates.dataFrame(true, 500, 0)).toBe(Pass);
    expect(rates.dataFrame(false, 0, 0)).toBe(Pass);
    expect(rates.dataFrame(false, 1, 3000)).toBe(Close);
    expect(rates.exceeded).toBe('bytes_per_second');
    expect(rates.dataFrame(false, 1, 3001)).toBe(Pass);
  });

  test('pause: what is over passes and is charged, then the debt tells how long', () => {
    const limits = { ...none, messagesPerSecond: 10, messageBurst: 2, onExceeded: 'pause' as const };
    const rates = new DirectionRates(limits, 0);
    const verdicts = [1, 2, 3, 4, 5].map(() => rates.dataFrame(true, 1, 0));
    expect(verdicts).toEqual([Pass, Pass, Pause, Pause, Pause]);
    expect(rates.pauseMs(0)).toBe(301);
    expect(rates.pauseMs(300)).toBe(1);
    expect(rates.pauseMs(301)).toBe(0);
  });

  test('pause: a sender at three times its rate gets exactly its rate through', () => {
    const limits = { ...none, messagesPerSecond: 10, messageBurst: 20, onExceeded: 'pause' as const };
    const rates = new DirectionRates(limits, 0);
    let passed = 0;
    let readAt = 0;
    for (let now = 0; now <= 60_000; now += 1) {
      if (now < readAt) continue;
      passed += 1;
      if (rates.dataFrame(true, 1, now) === Pause) readAt = now + rates.pauseMs(now);
    }
    expect(passed).toBeGreaterThanOrEqual(620);
    expect(passed).toBeLessThanOrEqual(621);
  });

  test('pause: the longer of two debts', () => {
    const limits = { ...none, messagesPerSecond: 1, messageBurst: 1, bytesPerSecond: 10, byteBurst: 10 };
    const rates = new DirectionRates({ ...limits, onExceeded: 'pause' }, 0);
    rates.dataFrame(true, 110, 0);
    expect(rates.dataFrame(true, 0, 0)).toBe(Pause);
    expect(rates.pauseMs(0)).toBe(10_001);
  });

  test('drop: decided on the first frame for the whole message; what is dropped is not charged', () => {
    const limits = { ...none, messagesPerSecond: 1, messageBurst: 1, onExceeded: 'drop' as const };
    const rates = new DirectionRates(limits, 0);
    expect(rates.dataFrame(true, 5, 0)).toBe(Pass);
    expect(rates.dataFrame(true, 5, 999)).toBe(Drop);
    expect(rates.dataFrame(false, 5, 1500)).toBe(Drop);
    expect(rates.dataFrame(true, 5, 1500)).toBe(Pass);
    expect(rates.dataFrame(false, 5, 1500)).toBe(Pass);
    expect(rates.dataFrame(true, 5, 2499)).toBe(Drop);
    expect(rates.dataFrame(true, 5, 2500)).toBe(Pass);
  });

  test('drop: later fragments only add debt', () => {
    const limits = { ...none, bytesPerSecond: 100, byteBurst: 100, onExceeded: 'drop' as const };
    const rates = new DirectionRates(limits, 0);
    expect([true, false, false].map((begins) => rates.dataFrame(begins, 100, 0))).toEqual([Pass, Pass, Pass]);
    expect(rates.dataFrame(true, 1, 2000)).toBe(Drop);
    expect(rates.dataFrame(true, 1, 2001)).toBe(Pass);
  });

  test('drop: three times the rate for a minute: burst and rate arrive, to the message', () => {
    const limits = { ...none, messagesPerSecond: 10, messageBurst: 20, onExceeded: 'drop' as const };
    const rates = new DirectionRates(limits, 0);
    const sent = Array.from({ length: 1800 }, (_, index) => rates.dataFrame(true, 1, Math.floor((index * 1000) / 30)));
    expect(sent.filter((verdict) => verdict === Pass)).toHaveLength(20 + Math.floor(59.966 * 10));
  });

  test.each(['close', 'pause', 'drop'] as const)('%s: over the control frames it is close', (onExceeded) => {
    const rates = new DirectionRates({ ...none, controlFramesPerSecond: 10, controlFrameBurst: 2, onExceeded }, 0);
    expect([rates.ping(0), rates.pong(0), rates.ping(0), rates.pong(99)]).toEqual([Pass, Pass, Close, Close]);
    expect(rates.exceeded).toBe('control_frames_per_second');
    expect(rates.pong(100)).toBe(Pass);
  });

  test('RFC 6455 5.5.2: one pong per relayed ping is free, the next is not', () => {
    const rates = new DirectionRates({ ...none, controlFramesPerSecond: 1, controlFrameBurst: 1 }, 0);
    rates.ping(0);
    rates.owePong();
    rates.owePong();
    expect([rates.pong(0), rates.pong(0), rates.pong(0)]).toEqual([Pass, Pass, Close]);
    rates.owePong();
    expect(rates.ping(0)).toBe(Close);
  });

  test('new limits: what was used stays used, what was off begins full, what is off is free', () => {
    const limits = { ...none, messagesPerSecond: 1, messageBurst: 1 };
    const rates = new DirectionRates(limits, 0);
    rates.dataFrame(true, 1, 0);
    rates.retune({ ...limits, bytesPerSecond: 1, byteBurst: 1 }, 0);
    expect(rates.dataFrame(true, 1, 0)).toBe(Close);
    rates.retune({ ...none, bytesPerSecond: 1, byteBurst: 1 }, 0);
    expect([rates.dataFrame(true, 1, 0), rates.dataFrame(true, 1, 0)]).toEqual([Pass, Close]);
    rates.retune(none, 0);
    expect(rates.dataFrame(true, 1, 0)).toBe(Pass);
  });

  test('new limits while a message is dropped: it stays dropped to its end', () => {
    const limits = { ...none, messagesPerSecond: 1, messageBurst: 1, onExceeded: 'drop' as const };
    const rates = new DirectionRates(limits, 0);
    rates.dataFrame(true, 1, 0);
    expect(rates.dataFrame(true, 1, 0)).toBe(Drop);
    rates.retune(none, 0);
    expect(rates.dataFrame(false, 1, 0)).toBe(Drop);
    expect(rates.dataFrame(true, 1, 0)).toBe(Pass);
    expect(rates.dataFrame(false, 1, 0)).toBe(Pass);
  });
});
