// Circles in graphs of files.

/** For each file the files that it imports. */
export type Graph = ReadonlyMap<string, ReadonlySet<string>>;

/** `from -> to` for each edge that lies on a circle. */
export function edgesInCircles(graph: Graph): string[] {
  return [...graph].flatMap(([from, targets]) =>
    [...targets].filter((to) => reachedFrom(to, graph).has(from)).map((to) => `${from} -> ${to}`),
  );
}

/** `start` and all that it imports, directly or not. */
function reachedFrom(start: string, graph: Graph): Set<string> {
  const reached = new Set([start]);
  for (const one of reached) for (const next of graph.get(one) ?? []) reached.add(next);
  return reached;
}
