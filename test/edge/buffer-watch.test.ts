import { describe, expect, test } from 'vitest';
import { type Buffering, BufferWatch } from '../../src/edge/buffer-watch.ts';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import { FakeClock } from '../support/fake-clock.ts';

class FakeSession implements Buffering {
  readonly bufferedBytes: number;
  isEnding: boolean;
  readonly shedWith: number[] = [];
  /** For which limits. */
  readonly limits = new Set<string>();

  constructor(bufferedBytes: number, isEnding = false) {
    this.bufferedBytes = bufferedBytes;
    this.isEnding = isEnding;
  }

  shed(bytes: number, limit: string): void {
    this.limits.add(limit);
    this.shedWith.push(bytes);
    this.isEnding = true;
  }
}

class Rig {
  readonly clock = new FakeClock();
  readonly wheel = new TimerWheel(this.clock, 1);
  readonly sessions: FakeSession[] = [];
  readonly peaks = { buffered: 0 };
  readonly watch: BufferWatch;

  constructor(bytesMax: number, ...sessions: readonly FakeSession[]) {
    this.sessions.push(...sessions);
    const { wheel, clock } = this;
    this.watch = new BufferWatch({
      wheel,
      now: () => clock.now(),
      holders: [[], this.sessions],
      bytesMax,
      peaks: this.peaks,
    });
  }

  pass(ms = 50): void {
    this.clock.advance(ms);
    this.wheel.advance();
  }

  get shed(): number[][] {
    return this.sessions.map(({ shedWith }) => shedWith);
  }
}

test('memory of the process that is short: the fullest end, and what others hold that end already counts', () => {
  const rig = new Rig(
    Infinity,
    new FakeSession(60),
    new FakeSession(30, true),
    new FakeSession(80),
    new FakeSession(0),
  );
  rig.watch.relieve(30);
  expect(rig.shed).toEqual([[], [], [], []]);
  rig.watch.relieve(31);
  expect(rig.shed).toEqual([[], [], [80], []]);
  rig.watch.relieve(111);
  expect(rig.shed).toEqual([[60], [], [80], []]);
  expect(rig.sessions.map(({ limits }) => [...limits])).toEqual([['max_memory'], [], ['max_memory'], []]);
});

describe('max_buffered_total', () => {
  test('as much as the limit is within it, one byte more is over it; early bytes count', () => {
    const rig = new Rig(100, new FakeSession(50), new FakeSession(40));
    rig.watch.early = 10;
    rig.pass();
    expect([rig.watch.total(), rig.watch.isOver, rig.shed]).toEqual([100, false, [[], []]]);
    rig.watch.early = 11;
    expect([rig.watch.total(), rig.watch.isOver]).toEqual([101, true]);
  });

  test('the fullest sessions end, no more of them than it takes', () => {
    const rig = new Rig(100, new FakeSession(60), new FakeSession(80), new FakeSession(40), new FakeSession(0));
    rig.pass();
    // 180 are held: without the 80 of the second it is 100.
    expect(rig.shed).toEqual([[], [80], [], []]);
    const crowd = new Rig(100, new FakeSession(60), new FakeSession(80), new FakeSession(41));
    crowd.pass();
    expect(crowd.shed).toEqual([[60], [80], []]);
  });

  test('what sessions hold that are ending already keeps others out, and ends nobody else', () => {
    const rig = new Rig(100, new FakeSession(500, true), new FakeSession(90));
    rig.pass();
    rig.pass();
    expect([rig.watch.isOver, rig.shed]).toEqual([true, [[], []]]);
    rig.sessions.shift();
    rig.pass();
    expect(rig.watch.isOver).toBe(false);
  });

  test('early bytes alone end sessions only as far as these hold anything', () => {
    const rig = new Rig(100, new FakeSession(0), new FakeSession(5));
    rig.watch.early = 1000;
    rig.pass();
    expect(rig.shed).toEqual([[], [5]]);
  });

  test('off: nobody looks at the sessions; a limit that a reload sets or lifts holds at once', () => {
    const rig = new Rig(Infinity, new FakeSession(500));
    rig.watch.early = 1000;
    rig.pass();
    expect([rig.wheel.size, rig.watch.isOver, rig.watch.total()]).toEqual([0, false, 1500]);
    rig.watch.retune(100);
    expect(rig.watch.isOver).toBe(true);
    rig.pass();
    expect(rig.shed).toEqual([[500]]);
    rig.watch.retune(Infinity);
    rig.pass();
    expect([rig.wheel.size, rig.watch.isOver]).toEqual([0, false]);
  });
});
