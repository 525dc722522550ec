import { describe, expect, test } from 'vitest';
import { type HashAsk, type HashJob, PasswordHasher } from '../../../src/edge/auth/password-hasher.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { PlainHashes } from '../../support/passwords.ts';

class Hashing {
  readonly clock = new FakeClock(0);
  readonly hashes = new PlainHashes();
  readonly hasher: PasswordHasher;

  constructor(cores = 4) {
    this.hashes.isHeld = true;
    this.hasher = new PasswordHasher(this.clock, cores, this.hashes.hash);
  }

  ask(password: string, clientKey: string, isWanted = () => true): HashJob {
    const cost = { ln: 10, r: 8, p: 1, salt: Buffer.alloc(8), size: 16 };
    const ask: HashAsk = { ...cost, password, clientKey, deadline: this.clock.now() + 5_000 };
    return this.hasher.ask(ask, isWanted);
  }

  get begun(): string[] {
    return this.hashes.asked.map(({ password }) => password);
  }

  async finish(count = 1): Promise<void> {
    this.hashes.letGo(count);
    for (let n = 0; n < 10; n += 1) await Promise.resolve();
  }
}

describe('scrypt', () => {
  test('two at once, one on two cores or fewer', () => {
    for (const [cores, atOnce] of [
      [1, 1],
      [2, 1],
      [3, 2],
      [64, 2],
    ] as const) {
      const hashing = new Hashing(cores);
      for (const password of ['a', 'b', 'c']) hashing.ask(password, '192.0.2.1');
      expect(hashing.begun).toHaveLength(atOnce);
    }
  });

  test('the addresses take turns', async () => {
    const hashing = new Hashing(1);
    for (const password of ['a1', 'a2', 'a3']) hashing.ask(password, '192.0.2.1');
    hashing.ask('b1', '192.0.2.2');
    for (const _ of [1, 2, 3]) await hashing.finish();
    expect(hashing.begun).toEqual(['a1', 'a2', 'b1', 'a3']);
  });

  test('four of one address may wait, and one more may not; who has no address is not told apart', async () => {
    const hashing = new Hashing(1);
    for (const n of [0, 1, 2, 3, 4]) hashing.ask(`a${n}`, '192.0.2.1');
    expect(await hashing.ask('a5', '192.0.2.1').result).toBe('full');
    hashing.ask('b', '192.0.2.2');
    for (let n = 0; n < 6; n += 1) hashing.ask(`u${n}`, '');
    for (let n = 0; n < 11; n += 1) await hashing.finish();
    expect(hashing.begun).toHaveLength(12);
  });

  test('sixty-four may wait, and one more may not', async () => {
    const hashing = new Hashing(1);
    for (let n = 0; n < 65; n += 1) hashing.ask(`p${n}`, `192.0.2.${n}`);
    expect(await hashing.ask('late', '198.51.100.1').result).toBe('full');
    await hashing.finish();
    const waiting = hashing.ask('next', '198.51.100.1');
    expect(waiting.giveUp()).toBe(true);
    expect(await waiting.result).toBe('over');
  });

  test('who gives up makes room, who has begun goes on', async () => {
    const hashing = new Hashing(1);
    const first = hashing.ask('a', '192.0.2.1');
    const second = hashing.ask('b', '192.0.2.1');
    hashing.ask('c', '192.0.2.1');
    expect([first.giveUp(), second.giveUp(), second.giveUp()]).toEqual([false, true, false]);
    await hashing.finish();
    expect(hashing.begun).toEqual(['a', 'c']);
    expect(await first.result).toBeInstanceOf(Buffer);
  });

  test('what is not wanted any more when its turn comes is not hashed', async () => {
    const hashing = new Hashing(1);
    hashing.ask('a', '192.0.2.1');
    const unwanted = hashing.ask('b', '192.0.2.1', () => false);
    hashing.ask('c', '192.0.2.1');
    await hashing.finish();
    expect(await unwanted.result).toBe('over');
    expect(hashing.begun).toEqual(['a', 'c']);
  });

  test('a fault of one stops no other; every cost that a config takes has the memory it needs', async () => {
    const hasher = new PasswordHasher(new FakeClock(), 2);
    const ask = { password: 'x', salt: Buffer.alloc(16), size: 32, clientKey: '', deadline: 1e9 };
    await expect(hasher.ask({ ...ask, ln: 10.5, r: 8, p: 1 }, () => true).result).rejects.toThrow();
    for (const p of [1, 4]) {
      const hash = await hasher.ask({ ...ask, ln: 10, r: 8, p }, () => true).result;
      expect(hash).toHaveLength(32);
    }
  });
});
