// Decides which lines of a flood are written, and counts the rest by what they were: of one event and error some lines
// a second pass, of all together as many as the config allows. It writes nothing and reads no clock.

/** Lines of one event and `error` in one window; the rest is counted. */
const LINES_MAX = 100;
/** Kinds of lines told apart in one window. Their names are our own; the bound is for when one is not. */
const KINDS_MAX = 256;
const DETAIL_LENGTH_MAX = 64;

/** One line for each, whatever happens: only the cap on all lines together holds it back. */
const NEVER_COUNTED = new Set(['session.end']);

/** Lines that were not written. `error` or `reason` is what told this kind from others of its event. */
interface LeftOut {
  readonly count: number;
  readonly of: string;
  readonly error?: unknown;
  readonly reason?: unknown;
}

interface Kind {
  readonly event: string;
  readonly error: unknown;
  readonly reason: unknown;
  passed: number;
  leftOut: number;
}

export class LogGate {
  /** Lines of all kinds together in one window; Infinity for no cap. */
  linesMax: number;
  /** At most KINDS_MAX entries and some for the rest; cleared with every window. */
  private readonly kinds = new Map<string, Kind>();
  private passed = 0;

  constructor(linesMax: number) {
    this.linesMax = linesMax;
  }

  /** False when this line is to be left out; it is counted then. */
  admit(event: string, error: unknown, reason: unknown): boolean {
    const kind = this.kindOf(event, error, reason);
    const isFull = this.passed >= this.linesMax || (kind.passed >= LINES_MAX && !NEVER_COUNTED.has(event));
    if (isFull) {
      kind.leftOut += 1;
      return false;
    }
    kind.passed += 1;
    this.passed += 1;
    return true;
  }

  /** Begins the next window; tells what was left out in the last one. */
  takeLeftOut(): readonly LeftOut[] {
    this.passed = 0;
    const found: LeftOut[] = [];
    for (const { event, error, reason, leftOut } of this.kinds.values()) {
      if (leftOut > 0) found.push({ count: leftOut, of: event, error, reason });
    }
    this.kinds.clear();
    return found;
  }

  private kindOf(event: string, error: unknown, reason: unknown): Kind {
    const detail = error ?? reason;
    const key = detail === undefined ? event : `${event} ${String(detail).slice(0, DETAIL_LENGTH_MAX)}`;
    return this.kinds.get(key) ?? this.addKind(key, event, error, reason);
  }

  private addKind(key: string, event: string, error: unknown, reason: unknown): Kind {
    if (this.kinds.size < KINDS_MAX) return this.put(key, { event, error, reason, passed: 0, leftOut: 0 });
    // What is never counted is not thrown together with what is.
    const rest = NEVER_COUNTED.has(event) ? event : '*';
    return (
      this.kinds.get(rest) ??
      this.put(rest, { event: rest, error: undefined, reason: undefined, passed: 0, leftOut: 0 })
    );
  }

  private put(key: string, kind: Kind): Kind {
    this.kinds.set(key, kind);
    return kind;
  }
}
