// Why there is no certificate, in a closed set, each with what to do. What an authority says is cut and cleaned.

const TEXT_LENGTH_MAX = 400;

type AcmeFault =
  /** The authority cannot be asked. */
  | 'unreachable'
  /** It has had too many orders. */
  | 'rate_limited'
  /** It could not see that a name is ours. */
  | 'challenge'
  /** It says no for another reason. */
  | 'refused'
  /** `dir` cannot be read or written. */
  | 'storage'
  /** What it gave is no certificate for what was asked. */
  | 'bad_certificate'
  /** It took too long. */
  | 'late'
  /** Given up: a reload or an end, or another process has taken over. */
  | 'aborted'
  /** A fault in framegate itself, or in the package. */
  | 'internal';

interface Details {
  /** How long the authority says that nobody is to ask again; null where it does not say. */
  readonly retryAfterMs?: number | null;
  readonly cause?: unknown;
}

export class AcmeError extends Error {
  readonly fault: AcmeFault;
  readonly retryAfterMs: number | null;

  constructor(fault: AcmeFault, message: string, { retryAfterMs = null, cause }: Details = {}) {
    super(message, { cause });
    this.name = 'AcmeError';
    this.fault = fault;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Printable, and short: it stands in one line of the log. */
export function cleaned(text: string): string {
  const line = text.replace(/[^\x20-\x7e]+/g, ' ').trim();
  return line.length > TEXT_LENGTH_MAX ? `${line.slice(0, TEXT_LENGTH_MAX)}...` : line;
}
