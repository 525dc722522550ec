import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FairQueue, type Waiter } from '../../src/limits/fair-queue.ts';
import { Random } from '../support/random.ts';

interface Waiting {
  readonly id: number;
  readonly key: string;
  readonly lateAt: number;
}

/** The same rules, said as plainly as can be: lists that are searched. */
class NaiveQueue {
  waiting: Waiting[] = [];
  /** Keys in turn; those that were served keep their turn when nobody waits there any more. */
  turns: string[] = [];
  fresh: string[] = [];

  add(one: Waiting): void {
    if (!this.turns.includes(one.key)) {
      this.turns.push(one.key);
      this.fresh.push(one.key);
    }
    this.waiting.push(one);
  }

  remove(id: number): void {
    const one = this.waiting.find((waiter) => waiter.id === id);
    if (one === undefined) return;
    this.waiting = this.waiting.filter((waiter) => waiter !== one);
    if (this.of(one.key).length === 0 && this.fresh.includes(one.key)) {
      this.turns = this.turns.filter((key) => key !== one.key);
      this.fresh = this.fresh.filter((key) => key !== one.key);
    }
    this.rest();
  }

  take(now: number): number | null {
    const [oldest] = this.waiting;
    if (oldest === undefined) return null;
    const isLate = now > oldest.lateAt;
    let key = isLate ? this.fresh.at(-1) : undefined;
    while (key === undefined) {
      const [first = ''] = this.turns;
      if (this.of(first).length > 0) key = first;
      else this.turns.shift();
    }
    const one = this.of(key).at(isLate ? -1 : 0) as Waiting; // somebody waits there
    this.waiting = this.waiting.filter((waiter) => waiter !== one);
    this.fresh = this.fresh.filter((fresh) => fresh !== key);
    this.turns = [...this.turns.filter((turn) => turn !== key), key];
    this.rest();
    return one.id;
  }

  of(key: string): Waiting[] {
    return this.waiting.filter((waiter) => waiter.key === key);
  }

  private rest(): void {
    if (this.waiting.length === 0) this.turns = [];
  }
}

const step = fc.oneof(
  fc.record({ what: fc.constant('add' as const), key: fc.constantFrom('a', 'b', 'c', 'd'), patience: fc.nat(40) }),
  fc.record({ what: fc.constant('remove' as const), at: fc.nat() }),
  fc.record({ what: fc.constant('take' as const) }),
  fc.record({ what: fc.constant('pass' as const), ms: fc.nat(20) }),
);

describe('who is next', () => {
  test('is who the plainest reading of the rules says, whoever comes, leaves and waits', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const queue = new FairQueue<number>();
        const naive = new NaiveQueue();
        const waiters: Waiter<number>[] = [];
        let now = 0;
        for (const one of steps) {
          if (one.what === 'pass') now += one.ms;
          else if (one.what === 'add') {
            const id = waiters.length;
            waiters.push(queue.add(one.key, id, now + one.patience));
            naive.add({ id, key: one.key, lateAt: now + one.patience });
          } else if (one.what === 'remove') {
            const waiter = waiters[one.at % Math.max(1, waiters.length)];
            if (waiter !== undefined) queue.remove(waiter);
            if (waiter !== undefined) naive.remove(waiter.item);
          } else {
            expect(queue.take(now)).toBe(naive.take(now));
          }
          expect(queue.size).toBe(naive.waiting.length);
          const sizes = ['a', 'b', 'c', 'd'].map((key) => naive.of(key).length);
          expect(['a', 'b', 'c', 'd'].map((key) => queue.sizeOf(key))).toEqual(sizes);
          const longest = queue.longest;
          expect(longest?.size ?? 0).toBe(Math.max(...sizes));
          if (longest !== null) expect(naive.of(longest.newest.line.key).at(-1)?.id).toBe(longest.newest.item);
        }
      }),
      { numRuns: 500 },
    );
  });

  const filled = (texts: readonly string[], lateAt = Number.POSITIVE_INFINITY): FairQueue<string> => {
    const queue = new FairQueue<string>();
    for (const text of texts) queue.add(text.slice(0, 1), text, lateAt);
    return queue;
  };
  const takeAll = (queue: FairQueue<string>, now: number): string[] => {
    const taken: string[] = [];
    for (let one = queue.take(now); one !== null; one = queue.take(now)) taken.push(one);
    return taken;
  };

  test('in time: the keys in turn, the oldest of each', () => {
    expect(takeAll(filled(['a1', 'a2', 'a3', 'b1', 'b2', 'c1']), 0)).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3']);
  });

  test('late: the key that began last, its newest; one that was served goes behind all others', () => {
    const queue = filled(['a1', 'a2', 'a3', 'b1', 'b2', 'c1'], 10);
    expect(takeAll(queue, 11)).toEqual(['c1', 'b2', 'a3', 'b1', 'a2', 'a1']);
    expect(filled(['a1', 'b1'], 10).take(10)).toBe('a1');
  });

  test('a key that was served and is empty keeps its place behind the others when it comes again', () => {
    const queue = filled(['a1', 'b1', 'c1'], 10);
    expect(queue.take(11)).toBe('c1');
    queue.add('c', 'c2', 20);
    queue.add('d', 'd1', 20);
    expect(takeAll(queue, 11)).toEqual(['d1', 'b1', 'a1', 'c2']);
  });

  test('one that sends a thousand keeps another waiting for one turn', () => {
    const queue = new FairQueue<string>();
    for (let i = 0; i < 1_000; i += 1) queue.add('flood', 'flood', Number.POSITIVE_INFINITY);
    queue.add('other', 'other', Number.POSITIVE_INFINITY);
    expect([queue.take(0), queue.take(0)]).toEqual(['flood', 'other']);
  });

  test('what was taken or removed is removed once', () => {
    const queue = new FairQueue<number>();
    const waiters = [1, 2, 3].map((item) => queue.add('a', item, 0));
    expect(queue.take(0)).toBe(1);
    for (const waiter of [...waiters.slice(0, 2), ...waiters.slice(0, 2)]) queue.remove(waiter);
    expect([queue.size, queue.take(0), queue.take(0)]).toEqual([1, 3, null]);
  });

  test('what is remembered of keys that were served is bounded', () => {
    const queue = new FairQueue<number>();
    queue.add('oldest', 0, 0);
    for (let i = 1; i <= 50_000; i += 1) {
      queue.add(`${i}`, i, 0);
      expect(queue.take(1)).toBe(i);
    }
    expect(Reflect.get(queue, 'lines').size).toBeLessThanOrEqual(1_025);
  });
});

const CAPACITY = 500;
const SLOTS = 100;
const SERVICE_MS = (1_000 * SLOTS) / CAPACITY;
const OPEN_MS = 15_000;
const SIMULATED_MS = 60_000;
const MEASURED_FROM_MS = 40_000;

interface Client {
  readonly givesUpAt: number;
}

interface Queue {
  /** Gives what takes it out again. */
  add(one: Client, now: number): () => void;
  take(now: number): Client | null;
}

/** Clients served in time per second, once the queue is as it stays. `isNoticed`: it is seen when one gives up. */
function goodput(load: number, queue: Queue, isNoticed: boolean): number {
  const random = new Random(7);
  const leaving: { readonly at: number; readonly leave: () => void }[] = [];
  const serving: { readonly until: number; readonly client: Client }[] = [];
  let arrived = 0;
  let good = 0;
  for (let now = 0; now < SIMULATED_MS; now += 1) {
    for (; arrived < (now * load * CAPACITY) / 1_000; arrived += 1) {
      // Everybody gives up at some time, most after ten seconds.
      const client: Client = { givesUpAt: now + 9_500 + random.between(0, 1_000) };
      leaving.push({ at: isNoticed ? client.givesUpAt : now + OPEN_MS, leave: queue.add(client, now) });
    }
    for (let i = leaving.length - 1; i >= 0 && now % 50 === 0; i -= 1) {
      const one = leaving[i] as (typeof leaving)[number]; // within
      if (one.at > now) continue;
      one.leave();
      leaving.splice(i, 1);
    }
    for (let i = serving.length - 1; i >= 0; i -= 1) {
      const { until, client } = serving[i] as (typeof serving)[number]; // within
      if (until > now && (client.givesUpAt > now || !isNoticed)) continue;
      serving.splice(i, 1);
      if (client.givesUpAt > now && now > MEASURED_FROM_MS) good += 1;
    }
    while (serving.length < SLOTS) {
      const client = queue.take(now);
      if (client === null) break;
      serving.push({ until: now + SERVICE_MS, client });
    }
  }
  return good / ((SIMULATED_MS - MEASURED_FROM_MS) / 1_000);
}

describe('under a load of 1.4 times the capacity, where everybody gives up at some time', () => {
  let clients = 0;
  const fair = () => {
    const queue = new FairQueue<Client>();
    return {
      add: (client: Client, now: number) => {
        clients += 1;
        const waiter = queue.add(`${clients}`, client, now + OPEN_MS / 3);
        return () => queue.remove(waiter);
      },
      take: (now: number) => queue.take(now),
    };
  };
  const firstCome = () => {
    const queue = new Set<Client>();
    return {
      add: (client: Client) => {
        queue.add(client);
        return () => void queue.delete(client);
      },
      take: () => {
        const [first] = queue;
        if (first !== undefined) queue.delete(first);
        return first ?? null;
      },
    };
  };

  test.each([true, false])(
    'nearly as many are served as there is capacity for (leaving is noticed: %s)',
    (isNoticed) => {
      expect(goodput(1.4, fair(), isNoticed)).toBeGreaterThan(0.95 * CAPACITY);
      expect(goodput(0.9, fair(), isNoticed)).toBeGreaterThan(0.85 * CAPACITY);
    },
  );

  test('first come, first served would serve nobody: the simulation can tell', () => {
    expect(goodput(1.4, firstCome(), false)).toBe(0);
  });
});
