// Owns the texts of `headers`: names of fields that a config may set or remove, and values with placeholders. It says
// what is wrong with one; what they do is not its affair.

import { PLACEHOLDERS, parseTemplate, type TemplateFault } from '../protocol/header-template.ts';
import { unreachable } from '../unreachable.ts';
import { printable } from './addresses.ts';
import { SECRET } from './secret-file.ts';
import { didYouMean } from './suggest.ts';
import type { Parsed } from './units.ts';

/** A map with braces around it is what YAML makes of a placeholder without quotes. */
export const TEMPLATE_PROBLEM = 'expected text, or {file: path}; a value that begins with "{" needs quotes';

const TOO_LONG = 'over 4096 characters';
const LENGTH_MAX = 4096;
const FIELD_NAME = /^[A-Za-z0-9-]{1,64}$/;

export function parseFieldName(text: string, isOwn: (lower: string) => boolean): Parsed<string> {
  if (!FIELD_NAME.test(text)) return { problem: 'a field here has 1 to 64 letters, digits and "-" in its name' };
  if (isOwn(text.toLowerCase())) return { problem: `${text} is framegate's own: it can be neither set nor removed` };
  return { value: text };
}

/** The text itself, when it is one. */
export function readTemplate(text: string): Parsed<string> {
  // What `framegate config` prints in place of a secret must never become one.
  if (text === SECRET) return { problem: '*** stands where a secret was: write the secret, or {file: path}' };
  if (text.length > LENGTH_MAX) return { problem: TOO_LONG };
  const parsed = parseTemplate(text);
  return parsed.ok ? { value: text } : { problem: faultText(parsed.fault) };
}

/** A text that is to be taken as it is. */
export function doubledBraces(text: string): string {
  return text.replace(/[{}]/g, '$&$&');
}

function faultText(fault: TemplateFault): string {
  switch (fault.kind) {
    case 'stray_brace':
      return 'a brace here begins or ends a {placeholder}: write "{{" or "}}" for a brace';
    case 'text':
      return 'a value here is printable ASCII';
    case 'unknown':
      return unknownText(fault.name);
    case 'argument':
      return argumentText(fault.name);
    default:
      return unreachable(fault);
  }
}

function unknownText(name: string): string {
  const guess = didYouMean(name, PLACEHOLDERS);
  return `there is no placeholder {${printable(name)}}${guess === '' ? KNOWN : guess}`;
}

const KNOWN = `: there are ${PLACEHOLDERS.map((name) => `{${name}}`).join(', ')}`;

function argumentText(name: string): string {
  const shown = `{${printable(name)}}`;
  if (name.startsWith('forward.')) return `${shown}: expected a field that take of a forward method lists`;
  return name.startsWith('header.')
    ? `${shown}: expected a field that passes as the client sent it, of 1 to 64 letters, digits and "-"`
    : `${shown}: expected a name of 1 to 128 visible ASCII characters behind the dot`;
}
