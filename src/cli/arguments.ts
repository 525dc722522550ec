// Owns the command line's grammar: an argument list becomes a command or the one thing that is wrong with it.
// It must not read files or environment, print, or end the process.

import { parseArgs } from 'node:util';
import { didYouMean } from '../config/suggest.ts';

/** What a shell or a supervisor may rely on. */
export const ExitCode = {
  Stopped: 0,
  Failed: 1,
  Usage: 2,
  Forced: 3,
  NoAnswer: 69,
  BadConfig: 78,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** A config file; `default` is ./config.yaml, which nobody asked for by name. */
export type FileSource =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'stdin' }
  | { readonly kind: 'default' };

/** Where a running proxy's config comes from. */
export type RunSource =
  | FileSource
  | { readonly kind: 'demo'; readonly listen: string | null }
  | { readonly kind: 'to'; readonly url: string; readonly listen: string | null };

export type Command =
  | { readonly kind: 'run'; readonly source: RunSource }
  | { readonly kind: 'check'; readonly source: FileSource; readonly format: 'text' | 'json' }
  | { readonly kind: 'config'; readonly source: FileSource }
  | { readonly kind: 'schema' }
  | { readonly kind: 'version' }
  | { readonly kind: 'help'; readonly topic: string | null };

export type CommandName = Command['kind'];

export type ArgumentsVerdict =
  | { readonly ok: true; readonly command: Command }
  | { readonly ok: false; readonly message: string };

const options = {
  config: { type: 'string', short: 'c' },
  demo: { type: 'boolean' },
  to: { type: 'string' },
  listen: { type: 'string' },
  format: { type: 'string' },
  watch: { type: 'boolean' },
  test: { type: 'boolean', short: 't' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const;
type OptionName = keyof typeof options;

const commandOptions: Readonly<Record<CommandName, readonly OptionName[]>> = {
  run: ['config', 'demo', 'to', 'listen', 'watch', 'test', 'format'],
  check: ['config', 'format'],
  config: ['config'],
  schema: [],
  version: [],
  help: [],
};

/** Commands and options that a later version brings, and which one. */
const laterCommands: ReadonlyMap<string, string> = new Map([
  ['status', 'policies'],
  ['sessions', 'policies'],
  ['close', 'policies'],
  ['drain', 'policies'],
  ['undrain', 'policies'],
  ['reload', 'policies'],
  ['advise', 'policies'],
  ['healthcheck', 'policies'],
  ['hash-password', 'edge'],
]);

export const commandNames: readonly string[] = Object.keys(commandOptions);

interface Given {
  readonly positionals: readonly string[];
  readonly values: ReadonlyMap<OptionName, string>;
}

type Refused = { readonly ok: false; readonly message: string };

/** `argv` without the interpreter and the script. */
export function parseArguments(argv: readonly string[]): ArgumentsVerdict {
  const first = argv[0] ?? '';
  // A later command has options of its own, so it is answered before any option is judged.
  const later = laterCommands.get(first);
  if (later !== undefined) return refused(`"${first}" needs framegate with (${later})`);
  const given = readOptions(argv);
  if ('ok' in given) return given;
  const [name = 'run', ...rest] = given.positionals;
  if (!isCommandName(name)) {
    return refused(`unknown command "${name}"${didYouMean(name, [...commandNames, ...laterCommands.keys()])}`);
  }
  if (given.values.has('help')) return helpFor(given.positionals[0] ?? null);
  if (given.values.has('version')) return accepted({ kind: 'version' });
  for (const option of given.values.keys()) {
    if (!commandOptions[name].includes(option)) return refused(`"${name}" takes no option --${option}`);
  }
  const extra = name === 'help' ? rest[1] : rest[0];
  if (extra !== undefined) return refused(`"${name}" takes no argument "${extra}"`);
  return name === 'help' ? helpFor(rest[0] ?? null) : judgeCommand(name, given.values);
}

function judgeCommand(name: Exclude<CommandName, 'help'>, values: ReadonlyMap<OptionName, string>): ArgumentsVerdict {
  switch (name) {
    case 'run':
      return values.has('test') ? judgeCheck(values) : judgeRun(values);
    case 'check':
      return judgeCheck(values);
    case 'config':
      return accepted({ kind: 'config', source: fileSource(values) });
    case 'schema':
    case 'version':
      return accepted({ kind: name });
    default:
      return unreachable(name);
  }
}

function judgeRun(values: ReadonlyMap<OptionName, string>): ArgumentsVerdict {
  if (values.has('watch')) return refused('"run --watch" needs framegate with (policies)');
  if (values.has('format')) return refused('"run" takes no option --format');
  const sources = (['config', 'demo', 'to'] as const).filter((name) => values.has(name));
  if (sources.length > 1) return refused(`--${sources[0]} and --${sources[1]} exclude each other`);
  const listen = values.get('listen') ?? null;
  const url = values.get('to');
  if (url !== undefined) return accepted({ kind: 'run', source: { kind: 'to', url, listen } });
  if (values.has('demo')) return accepted({ kind: 'run', source: { kind: 'demo', listen } });
  if (listen !== null) return refused('--listen goes with --to or --demo; a config file has "listeners"');
  return accepted({ kind: 'run', source: fileSource(values) });
}

function judgeCheck(values: ReadonlyMap<OptionName, string>): ArgumentsVerdict {
  const foreign = (['demo', 'to', 'listen', 'watch'] as const).find((name) => values.has(name));
  if (foreign !== undefined) return refused(`"check" takes no option --${foreign}`);
  const format = values.get('format') ?? 'text';
  if (format !== 'text' && format !== 'json') return refused(`--format is text or json, not "${format}"`);
  return accepted({ kind: 'check', source: fileSource(values), format });
}

function helpFor(topic: string | null): ArgumentsVerdict {
  if (topic === null || isCommandName(topic)) return accepted({ kind: 'help', topic });
  const later = laterCommands.get(topic);
  if (later !== undefined) return refused(`"${topic}" needs framegate with (${later})`);
  return refused(`no help on "${topic}"${didYouMean(topic, commandNames)}`);
}

/** parseArgs splits; what it would let pass or word for programmers (it is lenient here) is judged token by token. */
function readOptions(argv: readonly string[]): Given | Refused {
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true });
  const positionals: string[] = [];
  const values = new Map<OptionName, string>();
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const name = token.name;
    if (!isOptionName(name)) return refused(unknownOption(token.rawName));
    if (values.has(name)) return refused(`${token.rawName} is given twice`);
    if (options[name].type === 'boolean' && token.value !== undefined) {
      return refused(`${token.rawName} takes no value`);
    }
    // `-c --demo` is a forgotten value; a file of that name can be given as --config=--demo. A lone "-" is stdin.
    const swallowed = token.inlineValue === false && /^-./.test(token.value);
    if (options[name].type === 'string' && (token.value === undefined || token.value === '' || swallowed)) {
      return refused(`${token.rawName} needs a value`);
    }
    values.set(name, token.value ?? '');
  }
  return { positionals, values };
}

function unknownOption(rawName: string): string {
  const known = Object.keys(options).map((name) => `--${name}`);
  return `unknown option "${rawName}"${rawName.startsWith('--') ? didYouMean(rawName, known) : ''}`;
}

function fileSource(values: ReadonlyMap<OptionName, string>): FileSource {
  const path = values.get('config');
  if (path === undefined) return { kind: 'default' };
  return path === '-' ? { kind: 'stdin' } : { kind: 'file', path };
}

function isOptionName(name: string): name is OptionName {
  return Object.hasOwn(options, name);
}

function isCommandName(name: string): name is CommandName {
  return Object.hasOwn(commandOptions, name);
}

function accepted(command: Command): ArgumentsVerdict {
  return { ok: true, command };
}

function refused(message: string): Refused {
  return { ok: false, message };
}

function unreachable(value: never): never {
  throw new Error(`not a command: ${String(value)}`);
}
