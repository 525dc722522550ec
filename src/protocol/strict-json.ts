// JSON that has one meaning only: valid UTF-8, no name twice in an object, not deeper than anybody needs. What comes
// out has no prototypes, so any name may be looked up in it.

/** Arrays and objects in each other. */
const DEPTH_MAX = 32;

export type JsonObject = { readonly [name: string]: unknown };

/** Null: it is something else than strict JSON. */
export function parseStrictJson(bytes: Uint8Array): { readonly value: unknown } | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return isUnambiguous(text) ? { value: withoutPrototypes(JSON.parse(text)) } : null;
  } catch {
    return null;
  }
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Looks at depth and names only; JSON.parse judges the rest. */
function isUnambiguous(text: string): boolean {
  const string = /"[^"\\]*(?:\\.[^"\\]*)*"/sy;
  const colon = /[ \t\r\n]*:/y;
  /** Of each level that is open: the names so far. */
  const open: Set<string>[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === '{' || char === '[') {
      if (open.length === DEPTH_MAX) return false;
      open.push(new Set());
    } else if (char === '}' || char === ']') open.pop();
    else if (char === '"') {
      const literal = matchAt(string, text, at);
      if (literal === null) return false;
      at += literal.length - 1;
      if (matchAt(colon, text, at + 1) === null) continue;
      const names = open.at(-1);
      const name = String(JSON.parse(literal));
      if (names === undefined || names.has(name)) return false;
      names.add(name);
    }
  }
  return true;
}

function matchAt(pattern: RegExp, text: string, at: number): string | null {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? null;
}

/** At most DEPTH_MAX deep. */
function withoutPrototypes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutPrototypes);
  if (typeof value !== 'object' || value === null) return value;
  const plain: Record<string, unknown> = Object.create(null);
  for (const [name, own] of Object.entries(value)) plain[name] = withoutPrototypes(own);
  return plain;
}
