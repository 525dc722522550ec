// Which of some things is the largest, when each grows and shrinks by one at a time: a chain for every size, O(1).

import { Chain, type Link } from './chain.ts';

export class Largest<T> {
  /** By size; index 0 stays empty. At most as many as the largest has been large. */
  private readonly bySize: Chain<T>[] = [];
  private top = 0;

  /** Null when all are empty. */
  get largest(): T | null {
    return this.bySize[this.top]?.first ?? null;
  }

  get size(): number {
    return this.top;
  }

  /** The thing of `link` has another size now: one more or one less than before. */
  resize(link: Link<T>, size: number): void {
    if (size === 0) link.chain?.remove(link);
    else this.chainOf(size).append(link);
    if (size > this.top) this.top = size;
    // Only the largest itself can have left an empty top behind, and it is one smaller now.
    else if (this.top > 0 && this.chainOf(this.top).size === 0) this.top -= 1;
  }

  private chainOf(size: number): Chain<T> {
    const known = this.bySize[size];
    if (known !== undefined) return known;
    const made = new Chain<T>();
    this.bySize[size] = made;
    return made;
  }
}
