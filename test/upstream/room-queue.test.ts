import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { type Place, RoomQueue } from '../../src/upstream/room-queue.ts';
import { FakeClock } from '../support/fake-clock.ts';

/** A queue for `room` sessions; who is called takes its slot when the test says so. */
class Line {
  readonly clock = new FakeClock();
  readonly called: string[] = [];
  readonly waited: number[] = [];
  readonly places = new Map<string, Place>();
  room = 0;
  readonly queue = new RoomQueue({
    clock: this.clock,
    room: () => this.room,
    waited: (ms) => this.waited.push(ms),
  });

  join(...names: string[]): void {
    for (const name of names) this.places.set(name, this.queue.join({ onRoom: () => this.called.push(name) }));
  }

  place(name: string): Place {
    const place = this.places.get(name);
    if (place === undefined) throw new Error(`no place of ${name}`);
    return place;
  }

  async free(count: number): Promise<string[]> {
    this.room += count;
    this.queue.wake();
    return this.next();
  }

  async next(): Promise<string[]> {
    await nextTurn();
    return this.called.splice(0);
  }

  take(name: string): void {
    this.room -= 1;
    this.queue.leave(this.place(name));
  }
}

describe('who waits for room', () => {
  test('is called first come first served, as many as there is room for, in the next turn of the loop', async () => {
    const line = new Line();
    line.join('a', 'b', 'c', 'd');
    expect(await line.next()).toEqual([]);
    const calls = line.free(2);
    expect(line.called).toEqual([]);
    expect(await calls).toEqual(['a', 'b']);
    expect(await line.free(1)).toEqual(['c']);
    expect([line.queue.size, line.queue.isBusy]).toEqual([1, true]);
  });

  test('keeps what it was called for, until it has its slot', async () => {
    const line = new Line();
    line.join('a', 'b');
    expect(await line.free(1)).toEqual(['a']);
    line.queue.wake();
    expect(await line.next()).toEqual([]);
    line.take('a');
    expect(await line.next()).toEqual([]);
    expect(await line.free(1)).toEqual(['b']);
    expect(line.queue.isBusy).toBe(true);
    line.take('b');
    expect(line.queue.isBusy).toBe(false);
  });

  test('leaves its place to the next one when it gives up, called or not', async () => {
    const line = new Line();
    line.join('a', 'b', 'c', 'd');
    line.queue.leave(line.place('b'));
    expect(await line.free(1)).toEqual(['a']);
    line.queue.leave(line.place('a'));
    line.queue.leave(line.place('a'));
    expect(await line.next()).toEqual(['c']);
    expect(line.queue.size).toBe(1);
  });

  test('is the next one again when it was called and somebody else took the slot', async () => {
    const line = new Line();
    line.join('a', 'b', 'c');
    expect(await line.free(2)).toEqual(['a', 'b']);
    line.room = 0;
    line.queue.rejoin(line.place('a'));
    line.queue.rejoin(line.place('b'));
    line.queue.rejoin(line.place('b'));
    line.join('d');
    expect(await line.next()).toEqual([]);
    expect(await line.free(4)).toEqual(['a', 'b', 'c', 'd']);
  });

  test('is told of with how long it waited, once', async () => {
    const line = new Line();
    line.join('a', 'b');
    line.clock.advance(100);
    await line.free(1);
    line.clock.advance(20);
    line.take('a');
    line.clock.advance(3);
    line.queue.leave(line.place('b'));
    line.queue.leave(line.place('b'));
    expect(line.waited).toEqual([120, 123]);
  });

  test('is called 16 at most in a turn, and the others in the turns behind it', async () => {
    const line = new Line();
    const names = Array.from({ length: 40 }, (_, at) => `w${at}`);
    line.join(...names);
    expect(await line.free(Number.POSITIVE_INFINITY)).toEqual(names.slice(0, 16));
    expect(await line.next()).toEqual(names.slice(16, 32));
    expect(await line.next()).toEqual(names.slice(32));
  });
});
