// Figures of equal steps of time, the last so many of them: columns of numbers in fixed memory. It knows no clock.

export class StepHistory {
  private readonly columns: readonly Float64Array[];
  private readonly steps: number;
  /** Since it was made. */
  private pushed = 0;

  constructor(columns: number, steps: number) {
    this.columns = Array.from({ length: columns }, () => new Float64Array(steps));
    this.steps = steps;
  }

  /** As many as there are to read. */
  get length(): number {
    return Math.min(this.pushed, this.steps);
  }

  /** One step: a figure for each column, NaN for one that there was none of. The oldest step makes room. */
  push(figures: readonly number[]): void {
    const at = this.pushed % this.steps;
    for (const [index, column] of this.columns.entries()) column[at] = figures[index] ?? Number.NaN;
    this.pushed += 1;
  }

  /** The figures of a column as they are now, the oldest first, null for NaN; read at any time, made one by one. */
  *column(index: number): Generator<number | null> {
    const { steps, length } = this;
    // Copied: what is pushed while it is read is not in it.
    const column = this.columns[index]?.slice() ?? new Float64Array(0);
    const first = this.pushed - length;
    for (let step = 0; step < length; step += 1) {
      const figure = column[(first + step) % steps] ?? Number.NaN;
      yield Number.isNaN(figure) ? null : figure;
    }
  }
}
