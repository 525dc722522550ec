// The values that advice speaks in: round ones, as people write them. It has seen no traffic.

export type Unit = 'bytes' | 'ms' | 'count';

/** A week has weekends, and a day has nights: what is made of less says so. */
export const DAY_MS = 86_400_000;

/** Durations that people write. */
const DURATION_STEPS: readonly number[] = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 20, 30].map((seconds) => seconds * 1000),
  ...[1, 2, 5, 10, 20, 30].map((minutes) => minutes * 60_000),
  ...[1, 2, 4, 8, 12, 24, 48, 168, 720, 8760, 87_600].map((hours) => hours * 3_600_000),
];

/** Sizes grow by powers of two, which the buckets answer exactly; counts by 1, 2, 5; durations by what people write. */
export function roundUp(unit: Unit, value: number): number {
  if (unit === 'bytes') return 2 ** Math.ceil(Math.log2(Math.max(1, value)));
  if (unit === 'ms') return DURATION_STEPS.find((step) => step >= value) ?? value;
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value) ?? value;
}

export function nextBelow(unit: Unit, value: number): number {
  if (unit === 'bytes') return value / 2;
  if (unit === 'ms') return DURATION_STEPS.findLast((step) => step < value) ?? 0;
  const power = 10 ** Math.floor(Math.log10(value));
  return [0.5, 1, 2, 5].map((step) => step * power).findLast((step) => step < value) ?? 0;
}
