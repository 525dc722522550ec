// Weights laid out on a line, each of which ends where the next one begins: for draws by weight.

export class WeightLine {
  /** By place. */
  private readonly ends: Float64Array;
  private end = 0;
  /** The last place with a weight; -1 without any. */
  private last = -1;

  constructor(places: number) {
    this.ends = new Float64Array(places);
  }

  get total(): number {
    return this.end;
  }

  clear(): void {
    this.end = 0;
    this.last = -1;
  }

  /** All places, in their order. 0: nothing falls on it. */
  put(at: number, weight: number): void {
    this.end += weight;
    if (weight > 0) this.last = at;
    this.ends[at] = this.end;
  }

  startOf(at: number): number {
    return this.ends[at - 1] ?? 0;
  }

  /** The place that `value` falls on, from 0 to below `total`; -1 without any. */
  placeOf(value: number): number {
    const { ends } = this;
    let low = 0;
    let high = this.last;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((ends[middle] ?? 0) > value) high = middle;
      else low = middle + 1;
    }
    return high;
  }
}
