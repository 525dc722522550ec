import { describe, expect, test } from 'vitest';
import { Alarm, TimerWheel } from '../../src/limits/timer-wheel.ts';
import { WheelDriver } from '../../src/limits/wheel-driver.ts';
import { FakeClock } from '../support/fake-clock.ts';

function setUp() {
  const clock = new FakeClock(1_000_000);
  const wheel = new TimerWheel(clock);
  const driver = new WheelDriver(wheel, clock.now());
  const fired: string[] = [];
  return {
    fired,
    due: (name: string, inMs: number) => wheel.schedule(new Alarm(() => fired.push(name)), clock.now() + inMs),
    /** So much later it is driven again. */
    drive: (ms: number) => {
      clock.advance(ms);
      driver.drive(clock.now());
      return fired.splice(0);
    },
  };
}

describe('a deadline', () => {
  test('that is driven in time fires at once', () => {
    const { due, drive } = setUp();
    due('a', 950);
    expect([drive(900), drive(50)]).toEqual([[], ['a']]);
    due('b', 900);
    expect(drive(1_000)).toEqual(['b']);
  });

  test('that becomes due in a standstill waits for one more turn', () => {
    const { due, drive } = setUp();
    due('a', 500);
    expect([drive(1_001), drive(50), drive(50)]).toEqual([[], ['a'], []]);
  });

  test('waits once only, however many standstills follow', () => {
    const { due, drive } = setUp();
    due('handshake', 2_000);
    due('close', 5_000);
    const seen = Array.from({ length: 6 }, () => drive(1_500));
    // Due at the second and the fourth drive, which come late themselves.
    expect(seen).toEqual([[], [], ['handshake'], [], ['close'], []]);
  });

  test('that is set in a standstill for within the next one waits once, too', () => {
    const { due, drive } = setUp();
    drive(1_500);
    due('a', 10);
    expect([drive(1_500), drive(1_500), drive(1_500)]).toEqual([[], ['a'], []]);
  });
});
