// Medians, quantiles and ranges of a few repeated measurements. Pure arithmetic.

/** What several measurements of one thing gave: the figure to quote, and how far they lay apart. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Linear between the two nearest of `values`, which need no order; NaN when there are none. */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low === high ? low : low + (high - low) * (at - Math.floor(at));
}

export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), min: quantile(values, 0), max: quantile(values, 1) };
}

/** Ratios of what was measured next to each other in time; pairs of which one is missing are left out. */
export function pairedRatios(numerators: readonly number[], denominators: readonly number[]): number[] {
  const ratios: number[] = [];
  for (const [index, numerator] of numerators.entries()) {
    const ratio = numerator / (denominators[index] ?? Number.NaN);
    if (Number.isFinite(ratio)) ratios.push(ratio);
  }
  return ratios;
}
