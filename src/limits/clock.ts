// Where time comes from: an argument everywhere, so that tests own it.

/** Milliseconds on a monotonic clock; only differences mean something. */
export interface Clock {
  now(): number;
}
