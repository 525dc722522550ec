// The names that a certificate is for, out of the text that Node makes of its subjectAltName. It compares them with
// nothing: a name that could stand in no SNI is none.

const NAME_MAX = 253;
/** RFC 9525 6.3: a "*" is all of the first label, or no wildcard. */
const NAME = /^(?:\*\.)?[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/;
/**
 * One entry, from its type on. What holds anything out of the ordinary, such as a comma or a NUL, comes in quotes: to
 * split at commas alone would make names of parts of it (CVE-2021-44532).
 */
const ENTRY = /([^:,"]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/y;

/** The DNS names in `altNames`, in its order: lower-case, without a trailing dot, `*.x` as it is; each once. */
export function dnsNames(altNames: string): readonly string[] {
  const names = new Set<string>();
  ENTRY.lastIndex = 0;
  while (ENTRY.lastIndex < altNames.length) {
    const entry = ENTRY.exec(altNames);
    // What cannot be read to its end may mean anything.
    if (entry === null) return [];
    const [, type, text = ''] = entry;
    const name = type === 'DNS' ? nameOf(text) : null;
    if (name !== null) names.add(name);
  }
  return [...names];
}

/** A text as a DNS name, or null. */
export function nameOf(text: string): string | null {
  const name = text.toLowerCase().replace(/\.$/, '');
  return name.length <= NAME_MAX && NAME.test(name) ? name : null;
}
