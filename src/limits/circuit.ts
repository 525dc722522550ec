// Whether somebody who does not answer is asked again: after some failures in a row not for a while, then once. The
// clock is an argument.

/** Failures in a row after which nobody is asked. */
const FAILURES_MAX = 5;
const PAUSE_MS = 1_000;
const PAUSE_MS_MAX = 30_000;

/** `Trial`: the one question that decides about all others. */
export const Turn = { No: 0, Plain: 1, Trial: 2 } as const;
export type Turn = (typeof Turn)[keyof typeof Turn];

export class Circuit {
  private failures = 0;
  private pauseMs = PAUSE_MS;
  /** While there are failures enough: when the next trial may begin. */
  private closedUntil = 0;
  private isTried = false;

  /** Whoever is not told `No` tells in turn how it went, once. */
  begin(now: number): Turn {
    if (this.failures < FAILURES_MAX) return Turn.Plain;
    if (this.isTried || now < this.closedUntil) return Turn.No;
    this.isTried = true;
    return Turn.Trial;
  }

  succeeded(): void {
    this.failures = 0;
    this.pauseMs = PAUSE_MS;
    this.isTried = false;
  }

  failed(turn: Turn, now: number): void {
    if (turn === Turn.Trial) this.isTried = false;
    // Questions that were under way when it was decided say nothing new.
    else if (this.failures >= FAILURES_MAX) return;
    else this.failures += 1;
    if (this.failures < FAILURES_MAX) return;
    this.closedUntil = now + this.pauseMs;
    this.pauseMs = Math.min(this.pauseMs * 2, PAUSE_MS_MAX);
  }

  /** Nobody waited for the answer any more. */
  gaveUp(turn: Turn): void {
    if (turn === Turn.Trial) this.isTried = false;
  }
}
