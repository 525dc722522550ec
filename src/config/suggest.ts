// Owns "did you mean": the nearest known name to a mistyped one. It must not know where names come from.

/** Longer names get no suggestion: the distance below costs the product of both lengths. */
const NAME_LENGTH_MAX = 64;

/** The known name that `name` most likely meant, or null when none is near. */
export function nearest(name: string, known: Iterable<string>): string | null {
  if (name.length > NAME_LENGTH_MAX) return null;
  const plain = flatten(name);
  let best: string | null = null;
  // A third of the letters may be wrong; of very short names one.
  let bestDistance = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    if (candidate.length > NAME_LENGTH_MAX) continue;
    const distance = flatten(candidate) === plain ? 0 : editDistance(name, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** ` (did you mean "x"?)`, or nothing. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const guess = nearest(name, known);
  return guess === null ? '' : ` (did you mean "${guess}"?)`;
}

/** maxFrameSize, max-frame-size and max_frame_size are one name to whoever types it. */
function flatten(name: string): string {
  return name.replace(/[^A-Za-z0-9]/g, '').toLowerCase();
}

/** Damerau-Levenshtein (neighbours swapped count once), on three rows. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(
        (above[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (above[column - 1] ?? 0) + (same ? 0 : 1),
      );
      const swapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) cost = Math.min(cost, (before[column - 2] ?? 0) + 1);
      current.push(cost);
    }
    before = above;
    above = current;
  }
  return above[b.length] ?? 0;
}
