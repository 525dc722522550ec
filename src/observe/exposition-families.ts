// Heads and samples of the exposition: the prefix of all names, and a family's samples one after the other. It knows no
// metric by name.

import type { Histogram } from './histogram.ts';
import { type Labels, type MetricType, TextFormat } from './text-format.ts';

export type Family = readonly [name: string, type: MetricType, help: string];

/** Adds the prefix, and writes nothing for a family without samples but its head. */
export class Exposition {
  readonly format = new TextFormat();

  family(name: string, type: MetricType, help: string): void {
    this.format.family(`framegate_${name}`, type, help);
  }

  sample(labels: Labels, value: number): void {
    this.format.sample(labels, value);
  }

  histogram(labels: Labels, histogram: Histogram): void {
    this.format.histogram(labels, histogram);
  }

  single(name: string, type: MetricType, help: string, value: number): void {
    this.family(name, type, help);
    this.sample({}, value);
  }

  /** One sample for each item, in steps. */
  *each<T>(
    family: Family,
    items: readonly T[],
    labels: (item: T) => Labels,
    value: (item: T) => number,
  ): Generator<void> {
    this.family(...family);
    for (const item of items) {
      this.sample(labels(item), value(item));
      yield;
    }
  }
}
