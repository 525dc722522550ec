// Owns Retry-After of our own refusals: random, so that all who were refused do not come back at once.

const SECONDS_MAX = 5;

export function retryAfterSeconds(): number {
  return 1 + Math.floor(Math.random() * SECONDS_MAX);
}
