// Field values of a message by name, and comma-separated ones as lists.
// It does not know what the elements of a list mean.

import { isToken, trimOws } from './charset.ts';
import type { FieldName } from './field-names.ts';
import type { HeadField } from './http-head.ts';

export function valuesOf(fields: readonly HeadField[], lower: FieldName): string[] {
  const values: string[] = [];
  for (const field of fields) if (field.lower === lower) values.push(field.value);
  return values;
}

export function firstValueOf(fields: readonly HeadField[], lower: FieldName): string | undefined {
  return fields.find((field) => field.lower === lower)?.value;
}

/** RFC 9110 5.6.1: several lines are one list, and empty elements are ignored. Elements come in lower case. */
export function lowerElements(values: readonly string[]): string[] {
  const elements: string[] = [];
  for (const value of values) {
    for (const part of value.split(',')) {
      const element = trimOws(part);
      if (element !== '') elements.push(element.toLowerCase());
    }
  }
  return elements;
}

/** As `lowerElements`, or null when one of them is not what the list consists of: then nobody knows what was meant. */
export function strictElements(values: readonly string[], isElement: (text: string) => boolean): string[] | null {
  const elements = lowerElements(values);
  return elements.every(isElement) ? elements : null;
}

/**
 * Lists of RFC 6455 (4.3, in the grammar of RFC 2616 2.1): every element is a token, none stands twice, at most `max`
 * of them in all lines together; null elements are ignored and an empty line lists nothing. Null when the lines break
 * one of these rules, or hold nothing but commas.
 */
export function strictTokens(values: readonly string[], max: number): string[] | null {
  const seen = new Set<string>();
  for (const value of values) {
    let at = 0;
    while (at <= value.length) {
      const comma = value.indexOf(',', at);
      const end = comma === -1 ? value.length : comma;
      const token = trimOws(value.slice(at, end));
      at = end + 1;
      if (token === '') continue;
      if (!isToken(token) || seen.has(token) || seen.size === max) return null;
      seen.add(token);
    }
  }
  return seen.size === 0 && isCommasAlone(values) ? null : [...seen];
}

/** Of lines without an element: whether somebody meant to list something all the same. */
export function isCommasAlone(values: readonly string[]): boolean {
  return values.some((value) => value.includes(','));
}
