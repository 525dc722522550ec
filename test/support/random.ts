// Random choices that a seed repeats: the same seed gives the same run, on every machine and Node.

const UINT32 = 0x1_0000_0000;

export class Random {
  readonly seed: number;
  private state: number;

  /** `seed`: any whole number; its low 32 bits count. */
  constructor(seed: number) {
    this.seed = seed >>> 0;
    this.state = this.seed;
  }

  /** A seed of its own for case `index` of a run, so that one case can be run again alone. */
  static caseSeed(seed: number, index: number): number {
    return new Random((seed ^ Math.imul(index + 1, 0x9e3779b1)) >>> 0).uint32();
  }

  /** 0 to 2^32 - 1 (splitmix32). */
  uint32(): number {
    this.state = (this.state + 0x9e3779b9) | 0;
    let mixed = this.state ^ (this.state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  }

  /** 0 up to 1, without 1. */
  fraction(): number {
    return this.uint32() / UINT32;
  }

  /** A whole number from `min` to `max`, both included. */
  between(min: number, max: number): number {
    return min + Math.floor(this.fraction() * (max - min + 1));
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  /** One of `items`, which are not empty. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.between(0, items.length - 1)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    for (let i = 0; i < length; i++) bytes[i] = this.uint32() & 0xff;
    return bytes;
  }
}
