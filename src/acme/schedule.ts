// When a certificate is ordered: arithmetic of times in milliseconds since 1970, and of waits.

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Let's Encrypt bears with five failures of a name in an hour. */
const BACKOFF_MIN_MS = MINUTE_MS;
const BACKOFF_FACTOR = 3;
const BACKOFF_MAX_MS = 12 * HOUR_MS;
/** Of a wait, or of the life of a certificate, for processes and machines that began together. */
const BACKOFF_JITTER = 0.2;
const RENEWAL_JITTER = 1 / 30;
/** Authorities date a certificate back, by an hour mostly. */
const BACKDATED_MS = 2 * HOUR_MS;

interface Life {
  readonly notBefore: number;
  readonly notAfter: number;
  /** When it was got, by the clock of this machine; null where nobody knows. */
  readonly obtainedAt: number | null;
  readonly now: number;
  /** From 0 to 1. */
  readonly jitter: number;
}

/**
 * Two thirds of its life, and a little more. Where this machine's clock does not agree with the authority's, a new one
 * would seem to be over, or not to have begun, and so would the next: then its life begins when it was got.
 */
export function renewalAt({ notBefore, notAfter, obtainedAt, now, jitter }: Life): number {
  const life = notAfter - notBefore;
  const after = life * (2 / 3 + RENEWAL_JITTER * jitter);
  // One that was got in the future was got while the clock was wrong.
  const isKnown = obtainedAt !== null && obtainedAt <= now;
  const isOdd = isKnown && (obtainedAt < notBefore - BACKDATED_MS || obtainedAt > notBefore + life / 2);
  return (isOdd ? obtainedAt : notBefore) + after;
}

/** After so many failures in a row, one or more. `random`: from 0 to 1. */
export function backoffMs(failures: number, random: number): number {
  const ms = Math.min(BACKOFF_MIN_MS * BACKOFF_FACTOR ** (failures - 1), BACKOFF_MAX_MS);
  return Math.round(ms * (1 + BACKOFF_JITTER * random));
}

/** What is left of a wait that was written down by a clock which may have been another: never more than it can be. */
export function leftMs(until: number, now: number): number {
  return Math.min(Math.max(until - now, 0), 7 * DAY_MS);
}
