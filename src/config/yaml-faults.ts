// Owns how YAML's own syntax errors are told: where, and whether quotes are what is missing.
// It must not judge anything but text that YAML refused.

import type { YAMLParseError, YAMLWarning } from 'yaml';
import type { SourceText, TextFault } from './source-text.ts';

/** Errors that come from text that was meant as a value and reads as YAML syntax: `@x`, `*`, `a: b: c`. */
const UNQUOTED_CODES: ReadonlySet<string> = new Set(['BAD_SCALAR_START', 'BAD_ALIAS', 'BLOCK_AS_IMPLICIT_KEY']);
/** The same, where the code alone does not tell: `[::1]:8080`, `{id}/x`, `[/x/{id}]`, `>x`, `- x` behind a key. */
const UNQUOTED_MESSAGES = /at node end|^Missing , .*between flow|^Block scalar header|on same line with key/;
/** What stands before the value on its line: indentation, dashes, a key. */
const BEFORE_VALUE = /^\s*(?:- +)*(?:[^\s:#"'[\]{},]+:\s+)?(?:- +)*/;

const MESSAGE_LENGTH_MAX = 200;

/** With `unquoted` the fault stays in its value, and the rest of the text still means what it says. */
interface YamlFault extends TextFault {
  readonly unquoted: boolean;
}

export function yamlFault(error: YAMLParseError | YAMLWarning, source: SourceText): YamlFault {
  const offset = Math.min(error.pos[0], Math.max(0, source.text.length));
  // It may repeat a tag or a key of any length.
  const message = lowerFirst(error.message.split('\n')[0] ?? '').slice(0, MESSAGE_LENGTH_MAX);
  const before = source.text[offset - 1] ?? '\n';
  // A comma that is missing behind a space is just that; without a space, one value was meant.
  const isSyntax =
    UNQUOTED_MESSAGES.test(error.message) && !(/^Missing/.test(error.message) ? /\s/ : /\n/).test(before);
  if (!UNQUOTED_CODES.has(error.code) && !isSyntax) return { offset, message, unquoted: false };
  const reason = isSyntax ? 'this reads as YAML syntax, not as one value' : message;
  return { offset: valueStart(offset, source), message: `${reason}: quote this value`, unquoted: true };
}

/** Where the value begins that YAML stumbled over at `offset`. */
function valueStart(offset: number, source: SourceText): number {
  const line = source.line(offset);
  const column = offset - line.start;
  const first = BEFORE_VALUE.exec(line.text)?.[0].length ?? 0;
  if (first < column && /["'[{]/.test(line.text[first] ?? '') && isClosed(line.text.slice(first, column))) {
    return line.start + first;
  }
  let start = column;
  let depth = 0;
  while (start > first) {
    const char = line.text[start - 1] ?? '';
    if (/[\]}]/.test(char)) depth += 1;
    else if (depth > 0 && /[[{]/.test(char)) depth -= 1;
    else if (depth === 0 && /[\s,[]/.test(char)) break;
    start -= 1;
  }
  return line.start + start;
}

/** `[...]`, `{...}` or quotes that end before the fault: the value began with them. */
function isClosed(text: string): boolean {
  const opened = text.split(/[[{]/).length;
  return opened === text.split(/[\]}]/).length;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
