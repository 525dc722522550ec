// Which of the subprotocols that a client offers a route lets through. Offered names may be credentials: of them only
// the entry of the list that they fit is ever told.

/** A name, or with a "*" at its end what names begin with; `any` is all of them. */
type SubprotocolList = 'any' | readonly string[];

/** The offered ones that the list has, in the order of the offer. */
export function allowedProtocols(offered: readonly string[], list: SubprotocolList): readonly string[] {
  return list === 'any' ? offered : offered.filter((name) => entryFor(name, list) !== null);
}

/** The entry that lists `name`, exact before the longest beginning; null when none does, or all are let through. */
export function entryFor(name: string, list: SubprotocolList): string | null {
  if (list === 'any') return null;
  let best: string | null = null;
  for (const entry of list) {
    if (entry === name) return entry;
    const fits = entry.endsWith('*') && name.startsWith(entry.slice(0, -1));
    if (fits && (best === null || entry.length > best.length)) best = entry;
  }
  return best;
}
