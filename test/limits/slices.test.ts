import { describe, expect, test } from 'vitest';
import { SLICE_MS, Slices } from '../../src/limits/slices.ts';

/** A loop of which each turn is asked for, and a clock that only steps move. */
class Loop {
  now = 0;
  private waiting: (() => void)[] = [];
  readonly slices = new Slices({ now: () => this.now, nextTurn: (run) => this.waiting.push(run) });

  /** How long it took. */
  turn(): number {
    const startedAt = this.now;
    for (const run of this.waiting.splice(0)) run();
    return this.now - startedAt;
  }

  get isIdle(): boolean {
    return this.waiting.length === 0;
  }

  *work<T>(steps: number, ms: number, value: T): Generator<void, T> {
    for (let step = 0; step < steps; step += 1) {
      this.now += ms;
      yield;
    }
    return value;
  }
}

describe('slices', () => {
  test('no turn takes longer than a slice, however many wait', async () => {
    const loop = new Loop();
    const results = [1, 2, 3].map((value) => loop.slices.run(loop.work(100, 0.5, value)));
    expect(loop.now).toBe(0);
    let turns = 0;
    while (!loop.isIdle) {
      expect(loop.turn()).toBeLessThanOrEqual(SLICE_MS);
      turns += 1;
    }
    expect(await Promise.all(results)).toEqual([1, 2, 3]);
    expect(turns).toBeGreaterThanOrEqual(150 / SLICE_MS);
  });

  test('they take turns: a short one does not wait for a long one', async () => {
    const loop = new Loop();
    const done: string[] = [];
    const long = loop.slices.run(loop.work(1000, 1, 'long')).then((value) => done.push(value));
    const short = loop.slices.run(loop.work(3, 1, 'short')).then((value) => done.push(value));
    for (let turn = 0; turn < 4; turn += 1) loop.turn();
    await short;
    while (!loop.isIdle) loop.turn();
    await long;
    expect(done).toEqual(['short', 'long']);
  });

  test('one that throws rejects, and the others go on', async () => {
    const loop = new Loop();
    const broken = loop.slices.run(
      (function* (): Generator<void, never> {
        yield;
        throw new Error('broken');
      })(),
    );
    const other = loop.slices.run(loop.work(2, 1, 'other'));
    while (!loop.isIdle) loop.turn();
    await expect(broken).rejects.toThrow('broken');
    expect(await other).toBe('other');
    expect(loop.turn()).toBe(0);
  });

  test('one that has to wait is not asked again before what it waits for is there, and holds nobody up', async () => {
    const loop = new Loop();
    const log: string[] = [];
    let come: (() => void) | undefined;
    const far = new Promise<void>((resolve) => {
      come = resolve;
    });
    const waits = loop.slices.run(
      (function* (): Generator<unknown, string> {
        log.push('asked');
        yield far;
        log.push('came');
        return 'done';
      })(),
    );
    const other = loop.slices.run(loop.work(2, 1, 'other'));
    while (!loop.isIdle) loop.turn();
    expect(await other).toBe('other');
    expect(log).toEqual(['asked']);
    come?.();
    await far;
    while (!loop.isIdle) loop.turn();
    expect(await waits).toBe('done');
    expect(log).toEqual(['asked', 'came']);
  });

  test('one that waits in vain rejects', async () => {
    const loop = new Loop();
    const broken = loop.slices.run([Promise.reject(new Error('gone'))][Symbol.iterator]());
    while (!loop.isIdle) loop.turn();
    await expect(broken).rejects.toThrow('gone');
    expect(loop.isIdle).toBe(true);
  });
});
