import { describe, expect, test } from 'vitest';
import { Seats } from '../../src/admin/seats.ts';

/** Connections by number; `read` is when their heads have been read. */
function rig() {
  const waiting: (() => void)[] = [];
  const seats = new Seats<{ destroy(): void }>((run) => waiting.push(run));
  const gone: number[] = [];
  let made = 0;
  const enter = (count = 1) => {
    const connections = Array.from({ length: count }, () => {
      const number = made;
      made += 1;
      return {
        destroy() {
          gone.push(number);
        },
      };
    });
    for (const connection of connections) seats.enter(connection);
    return connections;
  };
  const read = () => {
    for (const run of waiting.splice(0)) run();
  };
  return { seats, gone, enter, read };
}

describe('seats', () => {
  test('72 may be silent; of more the oldest go, once those that came have been read', () => {
    const { gone, enter, read } = rig();
    enter(72);
    read();
    expect(gone).toEqual([]);
    enter(3);
    expect(gone).toEqual([]);
    read();
    expect(gone).toEqual([0, 1, 2]);
  });

  test('a head that came with its connection is heard, however many came with it', () => {
    const { seats, gone, enter, read } = rig();
    enter(72);
    const [probe] = enter(1);
    const flood = enter(100);
    expect(gone.length).toBe(100 + 73 - 136);
    expect(probe && seats.asks(probe)).toBe('any');
    read();
    expect(gone).not.toContain(72);
    expect(gone.length).toBe(100 + 73 - 72);
    expect(flood.length).toBe(100);
  });

  test('while 64 are being answered others get health only, until one of them is answered', () => {
    const { seats, enter } = rig();
    const asking = enter(64);
    expect(asking.map((one) => seats.asks(one))).toEqual(asking.map(() => 'any'));
    const [probe] = enter(1);
    expect(probe && seats.asks(probe)).toBe('health');
    if (probe) seats.answered(probe);
    if (asking[0]) seats.answered(asking[0]);
    expect(probe && seats.asks(probe)).toBe('any');
  });

  test('whoever is being answered does not make room, and is silent again from its answer on', () => {
    const { seats, gone, enter, read } = rig();
    const [first] = enter(72);
    if (first === undefined) return;
    seats.asks(first);
    seats.asks(first);
    seats.answered(first);
    enter(1);
    read();
    expect(gone).toEqual([1]);
    seats.answered(first);
    for (let round = 0; round < 2; round += 1) {
      enter(64);
      read();
    }
    expect(gone).toContain(0);
    expect(seats.asks(first)).toBe(null);
  });

  test('whoever leaves makes room', () => {
    const { seats, gone, enter, read } = rig();
    for (const connection of enter(72)) seats.leave(connection);
    enter(72);
    read();
    expect(gone).toEqual([]);
  });
});
