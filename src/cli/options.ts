// The options of the command line, and an argument list taken apart by them. It knows no command.

import { parseArgs } from 'node:util';
import { didYouMean } from '../config/suggest.ts';
import type { FileSource } from './commands.ts';

const options = {
  config: { type: 'string', short: 'c' },
  demo: { type: 'boolean' },
  to: { type: 'string' },
  listen: { type: 'string' },
  format: { type: 'string' },
  watch: { type: 'boolean' },
  force: { type: 'boolean' },
  test: { type: 'boolean', short: 't' },
  admin: { type: 'string' },
  route: { type: 'string' },
  client: { type: 'string' },
  target: { type: 'string' },
  identity: { type: 'string' },
  auth: { type: 'string' },
  key: { type: 'string' },
  jti: { type: 'string' },
  all: { type: 'boolean' },
  for: { type: 'string' },
  until: { type: 'string' },
  state: { type: 'string' },
  sort: { type: 'string' },
  limit: { type: 'string' },
  after: { type: 'string' },
  code: { type: 'string' },
  reason: { type: 'string' },
  header: { type: 'string' },
  subprotocol: { type: 'string' },
  message: { type: 'string' },
  count: { type: 'string' },
  wait: { type: 'boolean' },
  timeout: { type: 'string' },
  prefix: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const;
export type OptionName = keyof typeof options;

export type Values = ReadonlyMap<OptionName, string>;

interface Given {
  readonly positionals: readonly string[];
  readonly values: Values;
  /** The one option that may be given more than once; `values` has the last of them. */
  readonly headers: readonly string[];
}

export type Refused = { readonly ok: false; readonly message: string };

/** parseArgs splits; what it would let pass or word for programmers (it is lenient here) is judged token by token. */
export function readOptions(argv: readonly string[]): Given | Refused {
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true });
  const positionals: string[] = [];
  const values = new Map<OptionName, string>();
  const headers: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const name = token.name;
    if (!isOptionName(name)) return refused(unknownOption(token.rawName));
    if (values.has(name) && name !== 'header') return refused(`${token.rawName} is given twice`);
    if (options[name].type === 'boolean' && token.value !== undefined) {
      return refused(`${token.rawName} takes no value`);
    }
    // `-c --demo` is a forgotten value; a file of that name can be given as --config=--demo. A lone "-" is stdin.
    const swallowed = token.inlineValue === false && /^-./.test(token.value);
    if (options[name].type === 'string' && (token.value === undefined || token.value === '' || swallowed)) {
      return refused(`${token.rawName} needs a value`);
    }
    values.set(name, token.value ?? '');
    if (name === 'header') headers.push(token.value ?? '');
  }
  return { positionals, values, headers };
}

function unknownOption(rawName: string): string {
  const known = Object.keys(options).map((name) => `--${name}`);
  return `unknown option "${rawName}"${rawName.startsWith('--') ? didYouMean(rawName, known) : ''}`;
}

function isOptionName(name: string): name is OptionName {
  return Object.hasOwn(options, name);
}

/** What `--config` names. */
export function fileSource(values: Values): FileSource {
  const path = values.get('config');
  if (path === undefined) return { kind: 'default' };
  return path === '-' ? { kind: 'stdin' } : { kind: 'file', path };
}

export function refused(message: string): Refused {
  return { ok: false, message };
}
