// Cookies as text: those of a name in a Cookie field, the field without them, and a Set-Cookie. Whatever a client sends
// is walked over once; it decodes nothing, and quotes are a part of the value (RFC 6265 5.4).

import { trimOws } from './charset.ts';

interface NewCookie {
  readonly name: string;
  readonly value: string;
  readonly path: string;
  /** Seconds; null: until the browser ends. */
  readonly maxAge: number | null;
  readonly secure: boolean;
  readonly sameSite: 'lax' | 'strict' | 'none';
}

/** What the first `max` cookies of that name hold. `lines`: the values of the Cookie fields. */
export function cookieValues(lines: readonly string[], name: string, max: number): string[] {
  const values: string[] = [];
  for (const line of lines) {
    let at = 0;
    while (at <= line.length && values.length < max) {
      const end = endOfPair(line, at);
      const equals = equalsOf(line, at, end, name);
      if (equals !== -1) values.push(trimOws(line.slice(equals + 1, end)));
      at = end + 1;
    }
  }
  return values;
}

/** A Cookie field without the cookies of that name, all others byte for byte; '' when none is left. */
export function withoutCookie(line: string, name: string): string {
  if (!line.includes(name)) return line;
  let rest = '';
  let at = 0;
  let kept = 0;
  while (at <= line.length) {
    const end = endOfPair(line, at);
    if (equalsOf(line, at, end, name) === -1) {
      rest += kept === 0 ? line.slice(at, end) : `;${line.slice(at, end)}`;
      kept += 1;
    }
    at = end + 1;
  }
  return rest === line ? line : trimOws(rest);
}

/** RFC 6265 4.1.1. For no eyes but the browser's: HttpOnly. */
export function setCookie({ name, value, path, maxAge, secure, sameSite }: NewCookie): string {
  const age = maxAge === null ? '' : `; Max-Age=${maxAge}`;
  const site = { lax: 'Lax', strict: 'Strict', none: 'None' }[sameSite];
  return `${name}=${value}; Path=${path}${age}; HttpOnly${secure ? '; Secure' : ''}; SameSite=${site}`;
}

function endOfPair(line: string, at: number): number {
  const next = line.indexOf(';', at);
  return next === -1 ? line.length : next;
}

/** Where the value of a pair of that name begins, at its '='; -1 for any other pair, and for one without a name. */
function equalsOf(line: string, start: number, end: number, name: string): number {
  let at = start;
  while (at < end && isBlank(line, at)) at += 1;
  if (!line.startsWith(name, at)) return -1;
  at += name.length;
  while (at < end && isBlank(line, at)) at += 1;
  return at < end && line[at] === '=' ? at : -1;
}

/** RFC 9110 5.6.3, and what backends that trim text take for a blank, too: NEL and NBSP hide no name. */
function isBlank(line: string, at: number): boolean {
  const char = line[at];
  return char === ' ' || char === '\t' || char === '\x85' || char === '\xa0';
}
