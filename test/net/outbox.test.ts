import { describe, expect, test } from 'vitest';
import { type Chunk, Outbox } from '../../src/net/outbox.ts';
import { Random } from '../support/random.ts';

const WRITE_COST = 1024;

/** Chunks of ten bytes, and those that came back. */
function source() {
  const back: Chunk[] = [];
  return { back, take: () => ({ bytes: Buffer.alloc(10) }), giveBack: (chunk: Chunk) => void back.push(chunk) };
}

function drained(outbox: Outbox): Buffer {
  const all: Buffer[] = [];
  for (let next = outbox.next(); next !== null; next = outbox.next()) all.push(Buffer.from(next));
  return Buffer.concat(all);
}

describe('what waits for a lagging peer', () => {
  test('L42: is joined behind the write under way, in its own chunk first', () => {
    const chunks = source();
    const chunk = { bytes: Buffer.from('abc.......') };
    const outbox = new Outbox(chunks, { chunk, size: 3 });
    expect(outbox.cost).toBe(WRITE_COST + 10);
    for (const piece of ['d', 'ef', 'ghij', 'klm']) outbox.append(Buffer.from(`<${piece}>`), 1, 1 + piece.length);
    expect([outbox.waiting, outbox.cost]).toEqual([10, WRITE_COST + 20]);
    // The first three are being written: what follows them in one piece, then the rest in another.
    expect(outbox.next()?.toString()).toBe('defghij');
    expect([outbox.waiting, chunks.back.length]).toEqual([3, 0]);
    expect(outbox.next()?.toString()).toBe('klm');
    expect([chunks.back.length, outbox.cost]).toEqual([1, WRITE_COST + 10]);
    expect(outbox.next()).toBeNull();
    outbox.clear();
    expect([chunks.back.length, outbox.cost]).toEqual([2, WRITE_COST]);
  });

  test('L42: bytes elsewhere cost what they take until they are written', () => {
    const outbox = new Outbox(source(), { foreign: 500 });
    outbox.append(Buffer.from('ab'), 0, 2);
    expect(outbox.cost).toBe(WRITE_COST + 500 + 10);
    expect(outbox.next()?.toString()).toBe('ab');
    expect(outbox.cost).toBe(WRITE_COST + 10);
  });

  test('L42: comes in order, whole, and costs at least what it is, whatever the pieces', () => {
    const random = new Random(42);
    for (let round = 0; round < 200; round++) {
      const outbox = new Outbox(source(), { foreign: 0 });
      const sent: Buffer[] = [];
      const seen: Buffer[] = [];
      for (let i = 0; i < 30; i++) {
        if (random.chance(0.3)) {
          const next = outbox.next();
          if (next !== null) seen.push(Buffer.from(next));
          continue;
        }
        const piece = random.bytes(random.between(1, 35));
        sent.push(piece);
        outbox.append(piece, 0, piece.length);
        expect(outbox.cost).toBeGreaterThanOrEqual(outbox.waiting);
        expect(outbox.cost).toBeLessThanOrEqual(WRITE_COST + outbox.waiting + 55); // the write under way, and two ends
      }
      seen.push(drained(outbox));
      expect(Buffer.concat(seen).equals(Buffer.concat(sent)), `round ${round}`).toBe(true);
    }
  });
});
