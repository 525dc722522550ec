// Owns the command line's grammar: an argument list becomes a command or the one thing that is wrong with it.
// It must not read files or environment, print, or end the process.

import { parseArgs } from 'node:util';
import { NOT_YET } from '../config/later-keys.ts';
import { didYouMean } from '../config/suggest.ts';
import { unreachable } from '../unreachable.ts';

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

/** Where the admin listener is: told, or to be read from a config file. */
export interface AdminPlace {
  readonly address: string | null;
  readonly source: FileSource;
}

export interface SessionChoice {
  readonly route: string | null;
  readonly client: string | null;
  readonly target: string | null;
}

/** What `drain` and `undrain` are about. */
export type DrainSubject =
  | { readonly kind: 'route'; readonly route: string }
  | { readonly kind: 'target'; readonly upstream: string; readonly target: string };

type OutputFormat = 'text' | 'json';

/** Commands that ask a running proxy. */
export type AdminCommand = { readonly at: AdminPlace } & (
  | { readonly kind: 'status'; readonly format: OutputFormat; readonly watch: boolean }
  | {
      readonly kind: 'sessions';
      readonly id: string | null;
      readonly choice: SessionChoice;
      readonly state: string | null;
      readonly limit: number | null;
      readonly after: string | null;
      readonly format: OutputFormat;
      readonly watch: boolean;
    }
  | {
      readonly kind: 'close';
      readonly id: string | null;
      readonly choice: SessionChoice;
      readonly code: string | null;
      readonly reason: string | null;
    }
  | { readonly kind: 'drain'; readonly subject: DrainSubject | null }
  | { readonly kind: 'undrain'; readonly subject: DrainSubject }
  | { readonly kind: 'reload'; readonly force: boolean; readonly format: OutputFormat }
  | { readonly kind: 'advise'; readonly route: string | null; readonly format: OutputFormat }
  | { readonly kind: 'healthcheck'; readonly route: string | null }
);

export type Command =
  | { readonly kind: 'run'; readonly source: RunSource; readonly watch: boolean }
  | { readonly kind: 'check'; readonly source: FileSource; readonly format: 'text' | 'json' }
  | { readonly kind: 'config'; readonly source: FileSource }
  | AdminCommand
  | { readonly kind: 'schema' }
  | { readonly kind: 'version' }
  | { readonly kind: 'help'; readonly topic: string | null };

export type CommandName = Command['kind'];

type ArgumentsVerdict =
  | { readonly ok: true; readonly command: Command }
  | { readonly ok: false; readonly message: string };

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
  state: { type: 'string' },
  limit: { type: 'string' },
  after: { type: 'string' },
  code: { type: 'string' },
  reason: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const;
type OptionName = keyof typeof options;

const commandOptions: Readonly<Record<CommandName, readonly OptionName[]>> = {
  run: ['config', 'demo', 'to', 'listen', 'watch', 'test', 'format'],
  check: ['config', 'format'],
  config: ['config'],
  status: ['admin', 'config', 'format', 'watch'],
  sessions: ['admin', 'config', 'route', 'client', 'target', 'state', 'limit', 'after', 'format', 'watch'],
  close: ['admin', 'config', 'route', 'client', 'target', 'code', 'reason'],
  drain: ['admin', 'config'],
  undrain: ['admin', 'config'],
  reload: ['admin', 'config', 'force', 'format'],
  advise: ['admin', 'config', 'route', 'format'],
  healthcheck: ['admin', 'config', 'route'],
  schema: [],
  version: [],
  help: [],
};

/** Commands that a later version brings, and why this one has no use for them. */
const laterCommands: ReadonlyMap<string, string> = new Map([['hash-password', 'it knows no passwords']]);

/** How many words may follow a command. */
const positionalsMax: Readonly<Record<CommandName, number>> = {
  run: 0,
  check: 0,
  config: 0,
  status: 0,
  sessions: 1,
  close: 1,
  drain: 3,
  undrain: 3,
  reload: 0,
  advise: 0,
  healthcheck: 0,
  schema: 0,
  version: 0,
  help: 1,
};

export const commandNames: readonly string[] = Object.keys(commandOptions);

type Values = ReadonlyMap<OptionName, string>;

interface Given {
  readonly positionals: readonly string[];
  readonly values: Values;
}

type Refused = { readonly ok: false; readonly message: string };

/** `argv` without the interpreter and the script. */
export function parseArguments(argv: readonly string[]): ArgumentsVerdict {
  const first = argv[0] ?? '';
  // A later command has options of its own, so it is answered before any option is judged.
  const later = laterCommands.get(first);
  if (later !== undefined) return refused(`"${first}": ${NOT_YET}: ${later}`);
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
  const extra = rest[positionalsMax[name]];
  if (extra !== undefined) return refused(`"${name}" takes no argument "${extra}"`);
  return judgeCommand(name, given.values, rest);
}

function judgeCommand(name: CommandName, values: Values, rest: readonly string[]): ArgumentsVerdict {
  if (isAdminName(name)) {
    const verdict = judgeAdminCommand(name, values, rest);
    return typeof verdict === 'string' ? refused(verdict) : accepted(verdict);
  }
  switch (name) {
    case 'help':
      return helpFor(rest[0] ?? null);
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

function judgeRun(values: Values): ArgumentsVerdict {
  if (values.has('format')) return refused('"run" takes no option --format');
  const sources = (['config', 'demo', 'to'] as const).filter((name) => values.has(name));
  if (sources.length > 1) return refused(`--${sources[0]} and --${sources[1]} exclude each other`);
  const listen = values.get('listen') ?? null;
  const url = values.get('to');
  const watch = values.has('watch');
  if (watch && (url !== undefined || values.has('demo') || values.get('config') === '-')) {
    return refused('--watch needs a config file to watch');
  }
  if (url !== undefined) return accepted({ kind: 'run', source: { kind: 'to', url, listen }, watch });
  if (values.has('demo')) return accepted({ kind: 'run', source: { kind: 'demo', listen }, watch });
  if (listen !== null) return refused('--listen goes with --to or --demo; a config file has "listeners"');
  return accepted({ kind: 'run', source: fileSource(values), watch });
}

function judgeCheck(values: Values): ArgumentsVerdict {
  const foreign = (['demo', 'to', 'listen', 'watch'] as const).find((name) => values.has(name));
  if (foreign !== undefined) return refused(`"check" takes no option --${foreign}`);
  const format = values.get('format') ?? 'text';
  if (format !== 'text' && format !== 'json') return refused(`--format is text or json, not "${format}"`);
  return accepted({ kind: 'check', source: fileSource(values), format });
}

type AdminName = AdminCommand['kind'];

const LIMIT_MAX = 1000;

/** Words of the command, or what is wrong with them. What a proxy would refuse anyway is left to it. */
function judgeAdminCommand(name: AdminName, values: Values, rest: readonly string[]): AdminCommand | string {
  const at: AdminPlace = { address: values.get('admin') ?? null, source: fileSource(values) };
  const format = values.get('format') ?? 'text';
  if (format !== 'text' && format !== 'json') return `--format is text or json, not "${format}"`;
  const watch = values.has('watch');
  if (watch && format === 'json') return '--watch and --format json exclude each other';
  const route = values.get('route') ?? null;
  switch (name) {
    case 'status':
      return { kind: name, at, format, watch };
    case 'sessions':
      return judgeSessions(at, values, rest[0] ?? null);
    case 'close':
      return judgeClose(at, values, rest[0] ?? null);
    case 'drain':
    case 'undrain': {
      const subject = readSubject(name, rest);
      if (typeof subject === 'string') return subject;
      if (name === 'drain') return { kind: name, at, subject };
      return subject === null ? `"undrain" needs ${SUBJECTS}` : { kind: name, at, subject };
    }
    case 'reload':
      return { kind: name, at, force: values.has('force'), format };
    case 'advise':
      return { kind: name, at, route, format };
    case 'healthcheck':
      return { kind: name, at, route };
    default:
      return unreachable(name);
  }
}

function judgeSessions(at: AdminPlace, values: Values, id: string | null): AdminCommand | string {
  const format = values.get('format') === 'json' ? 'json' : 'text';
  const watch = values.has('watch');
  const filter = (['route', 'client', 'target', 'state', 'limit', 'after', 'watch'] as const).find((one) =>
    values.has(one),
  );
  if (id !== null && filter !== undefined) return `a session id and --${filter} exclude each other`;
  const limit = values.get('limit') ?? null;
  if (limit !== null && (!/^[1-9][0-9]{0,3}$/.test(limit) || Number(limit) > LIMIT_MAX)) {
    return `--limit is a number from 1 to ${LIMIT_MAX}, not "${limit}"`;
  }
  const state = values.get('state') ?? null;
  if (state !== null && !/^(open|paused|closing)$/.test(state)) {
    return `--state is open, paused or closing, not "${state}"`;
  }
  const after = values.get('after') ?? null;
  const size = limit === null ? null : Number(limit);
  return { kind: 'sessions', at, id, choice: choiceOf(values), state, limit: size, after, format, watch };
}

function judgeClose(at: AdminPlace, values: Values, id: string | null): AdminCommand | string {
  const choice = choiceOf(values);
  const isFiltered = choice.route !== null || choice.client !== null || choice.target !== null;
  if (id === null && !isFiltered) return '"close" needs a session id, or --route, --client or --target';
  if (id !== null && isFiltered) return 'a session id excludes --route, --client and --target';
  return { kind: 'close', at, id, choice, code: values.get('code') ?? null, reason: values.get('reason') ?? null };
}

function choiceOf(values: Values): SessionChoice {
  return {
    route: values.get('route') ?? null,
    client: values.get('client') ?? null,
    target: values.get('target') ?? null,
  };
}

const SUBJECTS = '"route NAME" or "target UPSTREAM NAME"';

/** Null when there are no words: the process itself. */
function readSubject(name: AdminName, rest: readonly string[]): DrainSubject | null | string {
  const [what, first, second] = rest;
  if (what === undefined) return null;
  if (what === 'route' && first !== undefined && second === undefined) return { kind: 'route', route: first };
  if (what === 'target' && first !== undefined && second !== undefined) {
    return { kind: 'target', upstream: first, target: second };
  }
  return `"${name}" takes ${SUBJECTS}${what === 'route' || what === 'target' ? '' : `, not "${what}"`}`;
}

function helpFor(topic: string | null): ArgumentsVerdict {
  if (topic === null || isCommandName(topic)) return accepted({ kind: 'help', topic });
  const later = laterCommands.get(topic);
  if (later !== undefined) return refused(`"${topic}": ${NOT_YET}: ${later}`);
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

function fileSource(values: Values): FileSource {
  const path = values.get('config');
  if (path === undefined) return { kind: 'default' };
  return path === '-' ? { kind: 'stdin' } : { kind: 'file', path };
}

function isOptionName(name: string): name is OptionName {
  return Object.hasOwn(options, name);
}

function isAdminName(name: CommandName): name is AdminName {
  return commandOptions[name].includes('admin');
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
