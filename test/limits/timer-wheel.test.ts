import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Alarm, TimerEntry, TimerWheel } from '../../src/limits/timer-wheel.ts';
import { FakeClock } from '../support/fake-clock.ts';

const TICK = 50;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

function setUp(start = 1_000_000) {
  const clock = new FakeClock(start);
  const wheel = new TimerWheel(clock);
  const fired: string[] = [];
  const alarm = (name: string) => new Alarm(() => fired.push(name));
  const advance = (ms: number) => {
    clock.advance(ms);
    wheel.advance();
  };
  return { clock, wheel, fired, alarm, advance, now: () => clock.now() };
}

describe('one deadline', () => {
  test.each([1, 49, 50, 51, 99, 100, 1234, 25_599, 25_600, 25_601, 25_650, 51_200, HOUR, 2 ** 31, 30 * DAY])(
    'in %i ms: never early, at most one tick late',
    (delay) => {
      for (const start of [0, 1, 49, 1_000_000, 1_000_017.25]) {
        const { wheel, fired, alarm, advance, now } = setUp(start);
        const at = now() + delay;
        wheel.schedule(alarm('a'), at);
        advance(delay - 1);
        expect(fired).toEqual([]);
        while (now() < at) advance(0.25);
        for (let late = 0; late < TICK; late++) if (fired.length === 0) advance(1);
        expect(fired).toEqual(['a']);
        expect(now() - at).toBeLessThanOrEqual(TICK);
        expect(wheel.size).toBe(0);
        advance(HOUR);
        expect(fired).toEqual(['a']);
      }
    },
  );

  test('fires with the time of the clock', () => {
    const { wheel, advance, now } = setUp();
    const times: number[] = [];
    wheel.schedule(new Alarm((at) => times.push(at)), now() + 10);
    advance(70);
    expect(times).toEqual([now()]);
  });

  test('that has passed already fires on the next tick, not at once', () => {
    const { wheel, fired, alarm, advance, now } = setUp();
    for (const at of [now(), now() - 1, now() - DAY, 0, Number.NEGATIVE_INFINITY]) wheel.schedule(alarm('a'), at);
    wheel.advance();
    expect(fired).toEqual([]);
    advance(TICK);
    expect(fired.length).toBe(5);
  });

  test('of Infinity is none', () => {
    const { wheel, fired, alarm, advance, now } = setUp();
    const entry = alarm('a');
    wheel.schedule(entry, Number.POSITIVE_INFINITY);
    expect([wheel.size, entry.dueAt]).toEqual([0, Number.POSITIVE_INFINITY]);
    wheel.schedule(entry, now() + 10);
    wheel.schedule(entry, Number.POSITIVE_INFINITY);
    expect([wheel.size, entry.dueAt]).toEqual([0, Number.POSITIVE_INFINITY]);
    advance(30 * DAY);
    expect(fired).toEqual([]);
  });

  test('that was moved fires at the last one only', () => {
    const { wheel, fired, alarm, advance, now } = setUp();
    const entry = alarm('a');
    const start = now();
    for (const delay of [100, 5000, 30, 700]) wheel.schedule(entry, start + delay);
    expect([wheel.size, entry.dueAt]).toEqual([1, start + 700]);
    advance(699);
    expect(fired).toEqual([]);
    advance(TICK);
    expect(fired).toEqual(['a']);
    expect(entry.dueAt).toBe(Number.POSITIVE_INFINITY);
  });

  test('that was cancelled does not fire; cancelling again does nothing', () => {
    const { wheel, fired, alarm, advance, now } = setUp();
    const entry = alarm('a');
    wheel.cancel(entry);
    wheel.schedule(entry, now() + 10);
    wheel.cancel(entry);
    wheel.cancel(entry);
    expect([wheel.size, entry.dueAt]).toEqual([0, Number.POSITIVE_INFINITY]);
    advance(DAY);
    expect(fired).toEqual([]);
  });
});

describe('while firing', () => {
  test('an entry may schedule itself again, for the past too: once per tick', () => {
    const { wheel, advance, now } = setUp();
    let count = 0;
    const entry: Alarm = new Alarm((at) => {
      count += 1;
      wheel.schedule(entry, at - 10);
    });
    wheel.schedule(entry, now());
    for (let tick = 1; tick <= 5; tick++) {
      advance(TICK);
      expect([count, wheel.size]).toEqual([tick, 1]);
    }
    advance(100 * HOUR);
    expect(count).toBe(6);
  });

  test('an entry may schedule others; those due fire on the next tick', () => {
    const { wheel, fired, alarm, advance, now } = setUp();
    wheel.schedule(new Alarm((at) => wheel.schedule(alarm('second'), at)), now() + 1);
    advance(TICK);
    expect(fired).toEqual([]);
    advance(TICK);
    expect(fired).toEqual(['second']);
  });

  test('an entry may cancel or move one that is due in the same tick', () => {
    const { wheel, fired, alarm, advance, now } = setUp();
    const cancelled = alarm('cancelled');
    const moved = alarm('moved');
    const before = alarm('before');
    const last = alarm('last');
    wheel.schedule(before, now() + 1);
    wheel.schedule(
      new Alarm((at) => {
        wheel.cancel(cancelled);
        wheel.cancel(before);
        wheel.schedule(moved, at + 1000);
      }),
      now() + 1,
    );
    for (const entry of [cancelled, moved, last]) wheel.schedule(entry, now() + 1);
    advance(TICK);
    expect(fired).toEqual(['before', 'last']);
    expect(wheel.size).toBe(1);
    advance(1000 + TICK);
    expect(fired).toEqual(['before', 'last', 'moved']);
    expect(wheel.size).toBe(0);
  });

  test('an entry may cancel the one before and the one behind it in a later slot', () => {
    const { wheel, fired, alarm, advance, now } = setUp();
    const later = alarm('later');
    wheel.schedule(new Alarm(() => wheel.cancel(later)), now() + 1);
    wheel.schedule(later, now() + 3 * TICK);
    advance(10 * TICK);
    expect([fired, wheel.size]).toEqual([[], 0]);
  });

  test('one that throws takes no deadline of the others with it', () => {
    const { wheel, fired, alarm, advance, now } = setUp();
    wheel.schedule(alarm('first'), now() + 1);
    wheel.schedule(
      new Alarm(() => {
        throw new Error('a bug');
      }),
      now() + 1,
    );
    wheel.schedule(alarm('same slot'), now() + 1);
    wheel.schedule(alarm('later slot'), now() + 2 * TICK);
    expect(() => advance(5 * TICK)).toThrow('a bug');
    expect(fired).toEqual(['first', 'same slot', 'later slot']);
    expect(wheel.size).toBe(0);
    wheel.schedule(alarm('after'), now() + 1);
    advance(TICK);
    expect(fired.at(-1)).toBe('after');
  });
});

describe('time', () => {
  test('several deadlines fire in their order, one tick apart', () => {
    const { wheel, fired, alarm, advance, now } = setUp();
    for (const delay of [300, 100, 200]) wheel.schedule(alarm(String(delay)), now() + delay);
    advance(1000);
    expect(fired).toEqual(['100', '200', '300']);
  });

  test.each([HOUR, 7 * HOUR, 400 * DAY])('a jump of %i ms fires all that is due, once, and nothing else', (jump) => {
    const { wheel, fired, alarm, advance, now } = setUp();
    const start = now();
    const delays = [1, 49, 25_600, 26_000, jump - 1, jump, jump + 1, jump + DAY];
    for (const delay of delays) wheel.schedule(alarm(String(delay)), start + delay);
    advance(jump);
    expect(new Set(fired)).toEqual(new Set(delays.filter((delay) => delay <= jump).map(String)));
    expect(fired.length).toBe(6);
    expect(wheel.size).toBe(2);
    advance(TICK);
    expect(fired.length).toBe(7);
  });

  test('a deadline set after a silence counts from now', () => {
    const { clock, wheel, fired, alarm, advance, now } = setUp();
    clock.advance(10 * HOUR);
    wheel.schedule(alarm('a'), now() + 10 * TICK);
    wheel.advance();
    expect(fired).toEqual([]);
    advance(10 * TICK - 1);
    expect(fired).toEqual([]);
    advance(TICK);
    expect(fired).toEqual(['a']);
  });

  test('a clock that stands still fires nothing twice', () => {
    const { wheel, fired, alarm, advance, now } = setUp();
    wheel.schedule(alarm('a'), now() + TICK);
    advance(TICK);
    for (let i = 0; i < 5; i++) wheel.advance();
    expect(fired).toEqual(['a']);
  });
});

describe('many', () => {
  class Counted extends TimerEntry {
    fires = 0;
    firedAt = 0;
    override onTimer(now: number): void {
      this.fires += 1;
      this.firedAt = now;
    }
  }

  test('100 000 entries over two hours: each once, in time, moved and cancelled as asked', () => {
    const { wheel, advance, now } = setUp();
    const start = now();
    const entries = Array.from({ length: 100_000 }, (_, i) => {
      const entry = new Counted();
      wheel.schedule(entry, start + ((i * 7919) % (2 * HOUR)));
      return entry;
    });
    expect(wheel.size).toBe(100_000);
    const due = new Map<Counted, number>();
    for (const [i, entry] of entries.entries()) {
      if (i % 3 === 0) wheel.cancel(entry);
      else if (i % 3 === 1) wheel.schedule(entry, start + ((i * 104_729) % HOUR));
      if (i % 3 !== 0) due.set(entry, entry.dueAt);
    }
    expect(wheel.size).toBe(due.size);
    const step = 1_000;
    for (let time = 0; time < 2 * HOUR + step; time += step) advance(step);
    for (const entry of entries) {
      const at = due.get(entry);
      const expected = at === undefined ? 0 : 1;
      if (entry.fires !== expected) expect.fail(`fired ${entry.fires} times instead of ${expected}`);
      if (at === undefined) continue;
      const late = entry.firedAt - at;
      if (late < 0 || late > step + TICK) expect.fail(`${late} ms late`);
    }
    expect(wheel.size).toBe(0);
  });

  test('any moves, cancels and steps of a fractional clock: never early, at most one tick late', () => {
    const action = fc.oneof(
      fc.record({
        kind: fc.constant('set'),
        entry: fc.nat({ max: 7 }),
        ms: fc.oneof(fc.double({ min: -100, max: 200, noNaN: true }), fc.double({ min: 0, max: 60_000, noNaN: true })),
      }),
      fc.record({ kind: fc.constant('cancel'), entry: fc.nat({ max: 7 }), ms: fc.constant(0) }),
      fc.record({
        kind: fc.constant('step'),
        entry: fc.constant(0),
        ms: fc.oneof(fc.double({ min: 0, max: 120, noNaN: true }), fc.double({ min: 0, max: 60_000, noNaN: true })),
      }),
    );
    fc.assert(
      fc.property(
        fc.array(action, { maxLength: 60 }),
        fc.double({ min: 0, max: 1e9, noNaN: true }),
        (actions, start) => {
          const { wheel, advance, now } = setUp(start);
          const entries = Array.from({ length: 8 }, () => new Counted());
          const due = new Map<Counted, number>();
          for (const { kind, entry: index, ms } of actions) {
            const entry = entries[index] as Counted;
            if (kind === 'set') {
              wheel.schedule(entry, now() + ms);
              due.set(entry, now() + Math.max(0, ms)); // one that has passed fires on the next tick
            } else if (kind === 'cancel') {
              wheel.cancel(entry);
              due.delete(entry);
            } else {
              const before = entries.map((one) => one.fires);
              advance(ms);
              for (const [i, one] of entries.entries()) {
                const at = due.get(one);
                const fired = one.fires - (before[i] ?? 0);
                if (fired > 0) expect([fired, at !== undefined && at <= now()]).toEqual([1, true]);
                else if (at !== undefined) expect(at).toBeGreaterThan(now() - TICK);
                if (fired > 0) due.delete(one);
              }
            }
            expect(wheel.size).toBe(due.size);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
