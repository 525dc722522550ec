// How many retries an upstream may have: a share of its handshakes of the last 10 s, so that a pool that is down is not
// dialed once more for each retry. The clock is an argument.

const STEP_MS = 1_000;
/** The present one among them: it looks back for 9 to 10 s. */
const STEPS = 10;
/** With few handshakes a share of them would be none. */
const LEAST = 3;
/** 29 % of 100 are 29, and not 28.999... */
const ROUNDING = 1e-9;

export class RetryBudget {
  /** Of each step, at its number modulo STEPS. */
  private readonly handshakes = new Float64Array(STEPS);
  private readonly retries = new Float64Array(STEPS);
  private step = Number.NEGATIVE_INFINITY;

  /** A handshake asks for its first target. */
  began(now: number): void {
    const at = this.turnTo(now);
    this.handshakes[at] = (this.handshakes[at] ?? 0) + 1;
  }

  /** Whether there may be one more, which then is counted. `share`: Infinity for no limit. */
  take(now: number, share: number): boolean {
    const at = this.turnTo(now);
    const allowed = share === Number.POSITIVE_INFINITY ? share : Math.floor(sum(this.handshakes) * share + ROUNDING);
    if (sum(this.retries) >= Math.max(LEAST, allowed)) return false;
    this.retries[at] = (this.retries[at] ?? 0) + 1;
    return true;
  }

  /** Forget the steps that are too old; where the present one is counted. */
  private turnTo(now: number): number {
    const step = Math.floor(now / STEP_MS);
    for (let old = Math.max(this.step + 1, step - STEPS + 1); old <= step; old += 1) {
      this.handshakes[old % STEPS] = 0;
      this.retries[old % STEPS] = 0;
    }
    this.step = step;
    return step % STEPS;
  }
}

function sum(counts: Float64Array): number {
  let all = 0;
  for (const count of counts) all += count;
  return all;
}
