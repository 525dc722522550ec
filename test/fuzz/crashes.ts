// Inputs that once broke something. Each is run again by the tests, for ever.

export interface Crash {
  readonly target: string;
  /** What it broke. */
  readonly title: string;
  /** One character per byte. */
  readonly input: string;
}

export const CRASHES: readonly Crash[] = [];
