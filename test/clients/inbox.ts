// What came, in order, for whoever waits for it: events of a library become values that a test takes one by one.

export class Inbox<T> {
  private readonly values: T[] = [];
  private readonly takers: ((value: T) => void)[] = [];

  /** Bound, so that it can be a listener. */
  readonly put = (value: T): void => {
    const taker = this.takers.shift();
    if (taker === undefined) this.values.push(value);
    else taker(value);
  };

  /** The oldest that nobody has taken, come or to come; the test's own deadline ends the wait. */
  next(): Promise<T> {
    if (this.values.length > 0) return Promise.resolve(this.values.shift() as T); // it has one
    return new Promise((resolve) => this.takers.push(resolve));
  }

  async take(count: number): Promise<T[]> {
    const taken: T[] = [];
    while (taken.length < count) taken.push(await this.next());
    return taken;
  }

  /** Drops what comes until one fits, and takes that one. */
  async until(fits: (value: T) => boolean): Promise<T> {
    for (;;) {
      const value = await this.next();
      if (fits(value)) return value;
    }
  }
}
