// The certificates of a listener in the order in which they were written: those whose place is known, and in the places
// between them the others.

export function inPlaces<F, P extends { readonly position: number }>(
  others: readonly F[],
  placed: readonly P[],
): (F | P)[] {
  const places = new Map(placed.map((one) => [one.position, one]));
  const all: (F | P)[] = [];
  for (const one of others) {
    for (let next = places.get(all.length); next !== undefined; next = places.get(all.length)) all.push(next);
    all.push(one);
  }
  for (let next = places.get(all.length); next !== undefined; next = places.get(all.length)) all.push(next);
  return all;
}
