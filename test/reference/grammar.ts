// Words, fields and lists of HTTP as regular expressions, by RFC 9110 5.6 and RFC 9112 5: what the readings of requests
// and of answers share. It imports nothing of src/.

const TOKEN_CHAR = "[!#$%&'*+.^_`|~0-9A-Za-z-]";
export const TOKEN = `${TOKEN_CHAR}+`;
const ONE_TOKEN = new RegExp(`^${TOKEN}$`);
const FIELD_LINE = new RegExp(`^(${TOKEN}):[\\t ]*([\\t\\x20-\\x7e\\x80-\\xff]*)$`);
const QUOTED = `"(?:\\\\?${TOKEN_CHAR})+"`;
const EXTENSION = new RegExp(`^${TOKEN}(?:[\\t ]*;[\\t ]*${TOKEN}(?:[\\t ]*=[\\t ]*(?:${TOKEN}|${QUOTED}))?)*$`);

export type Field = readonly [name: string, value: string];

export function isToken(text: string): boolean {
  return ONE_TOKEN.test(text);
}

/** RFC 6455 9.1: a quoted value is a token within quotes. The blanks around ";" and "=" as RFC 2616 allows them. */
export function isExtension(text: string): boolean {
  return EXTENSION.test(text);
}

/** The fields of all lines, or the first line that is none. */
export function fieldsOf(lines: readonly string[]): Field[] | string {
  const fields: Field[] = [];
  for (const line of lines) {
    const [, name, text] = FIELD_LINE.exec(line) ?? [];
    if (name === undefined || text === undefined) return line;
    fields.push([name, trimmed(text)]);
  }
  return fields;
}

export function valuesOf(fields: readonly Field[], name: string): string[] {
  return fields.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value);
}

/**
 * The elements of a list in one or more lines; empty ones do not count (RFC 9110 5.6.1.2, RFC 2616 2.1). No comma
 * stands in a token or in a legal quoted string, so every comma divides.
 */
export function elementsOf(values: readonly string[]): string[] {
  return values.flatMap((value) => value.split(',').map(trimmed)).filter((each) => each !== '');
}

/** Somebody sent commas and nothing else: RFC 6455 4.1 wants an element. */
export function isCommasAlone(values: readonly string[]): boolean {
  return elementsOf(values).length === 0 && values.some((value) => value !== '');
}

export function trimmed(text: string): string {
  return text.replace(/^[\t ]+|[\t ]+$/g, '');
}
