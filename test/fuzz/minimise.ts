// Makes a failing input smaller while it keeps failing: cuts out ever shorter parts, then writes plain letters over
// what is left. It stops at a bound of tries, so that a slow check cannot make it run for ever.

const TRIES_MAX = 3_000;
const PLAIN = 0x61;

export function minimise(input: Buffer, fails: (input: Buffer) => boolean): Buffer {
  let tries = 0;
  let best = input;
  const attempt = (candidate: Buffer): boolean => {
    tries += 1;
    if (!fails(candidate)) return false;
    best = candidate;
    return true;
  };
  for (let size = input.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at < best.length && tries < TRIES_MAX; ) {
      if (!attempt(Buffer.concat([best.subarray(0, at), best.subarray(at + size)]))) at += size;
    }
  }
  for (let at = 0; at < best.length && tries < TRIES_MAX; at += 1) {
    if (best[at] === PLAIN) continue;
    const plainer = Buffer.from(best);
    plainer[at] = PLAIN;
    attempt(plainer);
  }
  return best;
}
