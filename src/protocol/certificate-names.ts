// The names that a certificate is for, out of the text that Node makes of its subjectAltName. It compares them with
// nothing: a name that could stand in no SNI is none.

const NAME_MAX = 253;
/** RFC 9525 6.3: a "*" is all of the first label, or no wildcard. */
const NAME = /^(?:\*\.)?[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/;
/**
 * One entry, from its type on. What holds anything out of the ordinary, such as a comma or a NUL, comes in quotes: to
 * split at commas alone would make names of parts of it (CVE-2021-44532).
 */
const ENTRY = '([^:,"]+):("(?:[^"\\\\]|\\\\.)*"|[^,"]*)';

/** One entry as Node writes it. */
interface AltName {
  readonly type: string;
  /** Without its quotes, if it has any. */
  readonly text: string;
}

/** The DNS names in `list`, in its order: lower-case, without a trailing dot, `*.x` as it is; each once. */
export function dnsNames(list: string): readonly string[] {
  return [...new Set(altNames(list, ', ').flatMap(({ type, text }) => (type === 'DNS' ? (nameOf(text) ?? []) : [])))];
}

/** What cannot be read to its end may mean anything: then there are none. */
export function altNames(list: string, separator: ', ' | ','): readonly AltName[] {
  const names: AltName[] = [];
  const entry = new RegExp(`${ENTRY}(?:${separator}|$)`, 'y');
  while (entry.lastIndex < list.length) {
    const [, type, raw] = entry.exec(list) ?? [];
    const text = raw === undefined ? null : unquoted(raw);
    if (type === undefined || text === null) return [];
    names.push({ type, text });
  }
  return names;
}

function unquoted(raw: string): string | null {
  if (!raw.startsWith('"')) return raw;
  try {
    const text: unknown = JSON.parse(raw);
    return typeof text === 'string' ? text : null;
  } catch {
    return null;
  }
}

/** A text as a DNS name, or null. */
export function nameOf(text: string): string | null {
  const name = text.toLowerCase().replace(/\.$/, '');
  return name.length <= NAME_MAX && NAME.test(name) ? name : null;
}
