// Reads a V8 heap snapshot: how many objects of which class there are, and how much they hold themselves.

/** As much of the snapshot's form as is used here. */
interface Snapshot {
  readonly snapshot: {
    readonly meta: { readonly node_fields: readonly string[]; readonly node_types: readonly unknown[] };
  };
  readonly nodes: readonly number[];
  readonly strings: readonly string[];
}

export interface ClassSize {
  readonly name: string;
  readonly count: number;
  readonly bytes: number;
}

/** Kinds whose members have names of their own, or none. */
const SUMMED_KINDS: ReadonlySet<string> = new Set(['string', 'concatenated string', 'sliced string', 'number', 'code']);

/** By class, or by kind where a class says nothing. */
export function classSizes(json: string): Map<string, ClassSize> {
  // v8.getHeapSnapshot writes this form; a field that is missing shows below.
  const { snapshot, nodes, strings } = JSON.parse(json) as Snapshot;
  const fields = snapshot.meta.node_fields;
  const [type, name, size] = ['type', 'name', 'self_size'].map((field) => fields.indexOf(field));
  const kinds: unknown = snapshot.meta.node_types[0];
  if (type === undefined || name === undefined || size === undefined || type < 0 || name < 0 || size < 0) {
    throw new Error('a heap snapshot of an unknown form');
  }
  const found = new Map<string, ClassSize>();
  for (let at = 0; at < nodes.length; at += fields.length) {
    const kind = Array.isArray(kinds) ? String(kinds[nodes[at + type] ?? 0]) : '';
    const label = labelOf(kind, strings[nodes[at + name] ?? 0] ?? '');
    const before = found.get(label);
    const bytes = (before?.bytes ?? 0) + (nodes[at + size] ?? 0);
    found.set(label, { name: label, count: (before?.count ?? 0) + 1, bytes });
  }
  return found;
}

/** What `after` has more than `before`, the largest growth first. */
export function growth(before: ReadonlyMap<string, ClassSize>, after: ReadonlyMap<string, ClassSize>): ClassSize[] {
  const found: ClassSize[] = [];
  for (const { name, count, bytes } of after.values()) {
    const then = before.get(name);
    found.push({ name, count: count - (then?.count ?? 0), bytes: bytes - (then?.bytes ?? 0) });
  }
  return found.filter((one) => one.bytes > 0).sort((a, b) => b.bytes - a.bytes);
}

function labelOf(kind: string, name: string): string {
  if (SUMMED_KINDS.has(kind)) return `(${kind})`;
  if (kind === 'object' || kind === 'native') return kind === 'native' ? `native ${name}` : name;
  if (kind === 'closure') return `function ${name}`;
  return name === '' ? `(${kind})` : `(${kind}) ${name}`;
}
