// Owns what stands for something else in a config: `${NAME}`, `${NAME:-default}`, `$${`, and `{file: path}`.
// What comes in is only ever a value, never YAML. Environment and files are arguments.

import { dirname, isAbsolute, join } from 'node:path';
import type { Scalar, Span } from './tree.ts';
import { formatSize, type Parsed } from './units.ts';

export type Environment = Readonly<Record<string, string | undefined>>;
/** Throws an error with a `code` (ENOENT, ...) when the file cannot be read. Of one over `bytesMax` a part will do.
 * `weight`: how much dearer its bytes are to make sense of than those of most files. */
export type ReadFile = (path: string, bytesMax: number, weight?: number) => Buffer;
/** Permission bits of a regular file, null for anything else. */
export type FileMode = (path: string) => number | null;

/** A secret, a certificate chain, a scalar after replacement: all of them are far smaller. */
const BYTES_MAX = 1024 * 1024;
const LITERAL_HINT = 'write "$${" for a literal "${"';
const NAME = /^[A-Za-z_][A-Za-z0-9_]*/;

interface Substituted {
  readonly text: string;
  /** The scalar was exactly one `${...}`: its value is typed like a plain scalar. */
  readonly whole: boolean;
  /** Where in `text` stands what was put in. */
  readonly brought: readonly Span[];
}

/** Replace every `${...}`; null when there is nothing to replace. */
export function substitute(text: string, env: Environment): Parsed<Substituted> | null {
  if (!text.includes('${')) return null;
  let out = '';
  let at = 0;
  let whole = false;
  const brought: Span[] = [];
  for (let open = text.indexOf('${'); open !== -1; open = text.indexOf('${', at)) {
    if (open > at && text[open - 1] === '$') {
      out += `${text.slice(at, open - 1)}\${`;
      at = open + 2;
      continue;
    }
    const close = text.indexOf('}', open);
    if (close === -1) return { problem: `this "\${" has no "}" (${LITERAL_HINT})` };
    const value = lookUp(text.slice(open + 2, close), env);
    if ('problem' in value) return value;
    out += text.slice(at, open);
    brought.push({ start: out.length, end: out.length + value.value.length });
    out += value.value;
    at = close + 1;
    whole = open === 0 && at === text.length;
    if (out.length > BYTES_MAX) return { problem: 'this value is over 1MiB after replacement' };
  }
  return { value: { text: out + text.slice(at), whole, brought } };
}

function lookUp(inner: string, env: Environment): Parsed<string> {
  const name = NAME.exec(inner)?.[0] ?? '';
  const rest = inner.slice(name.length);
  if (name === '' || (rest !== '' && !rest.startsWith(':-'))) {
    return { problem: `expected \${NAME} or \${NAME:-default} (${LITERAL_HINT})` };
  }
  if (rest.includes('${')) return { problem: 'a default holds no "${"' };
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  if (value !== undefined && value !== '') return { value };
  if (rest !== '') return { value: rest.slice(2) };
  return { problem: `the environment has no value for ${name} (write \${${name}:-default} to give one here)` };
}

/** The type that a plain scalar of this text has in a config: true, false, a decimal number, or text. */
export function typed(text: string): Scalar {
  if (text === 'true') return true;
  if (text === 'false') return false;
  return isDecimal(text) ? Number(text) : text;
}

/** Numbers as people write them; 0x10, 010, 1e3 and .inf mean different things to different YAML readers. */
export function isDecimal(text: string): boolean {
  return /^-?(0|[1-9][0-9]{0,15})(\.[0-9]{1,15})?$/.test(text);
}

/** Where a path of the config leads: relative ones start at the config file's folder. */
export function resolvePath(baseDir: string, path: string): string {
  return isAbsolute(path) ? path : join(baseDir, path);
}

export function baseDirOf(file: string): string {
  return dirname(file);
}

export interface FileAccess {
  readonly baseDir: string;
  readonly readFile: ReadFile;
}

export function readBytes(path: string, access: FileAccess, bytesMax = BYTES_MAX, weight = 1): Parsed<Buffer> {
  if (path === '' || path.includes('\0')) return { problem: 'expected the path of a file' };
  let bytes: Buffer;
  try {
    bytes = access.readFile(resolvePath(access.baseDir, path), bytesMax, weight);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'no such file';
    return { problem: `cannot read this file (${code})` };
  }
  return bytes.length > bytesMax ? { problem: `this file is over ${formatSize(bytesMax)}` } : { value: bytes };
}

/** The text of a secret; the one newline that editors and `echo` append is dropped. */
export function readSecret(path: string, access: FileAccess): Parsed<string> {
  const bytes = readBytes(path, access);
  if ('problem' in bytes) return bytes;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.value);
    return { value: text.replace(/\r?\n$/, '') };
  } catch {
    return { problem: 'this file is not UTF-8 text' };
  }
}
