// Owns the command line's grammar: an argument list becomes a command or the one thing that is wrong with it.
// It must not read files or environment, print, or end the process.

import { didYouMean } from '../config/suggest.ts';
import { unreachable } from '../unreachable.ts';
import { judgeAdminCommand } from './admin-arguments.ts';
import type { AdminCommand, Command, CommandName } from './commands.ts';
import { fileSource, type OptionName, type Refused, readOptions, refused, type Values } from './options.ts';
import { judgeProbe } from './probe-arguments.ts';

type ArgumentsVerdict = { readonly ok: true; readonly command: Command } | Refused;

const commandOptions: Readonly<Record<CommandName, readonly OptionName[]>> = {
  run: ['config', 'demo', 'to', 'listen', 'watch', 'test', 'format'],
  check: ['config', 'format'],
  config: ['config'],
  status: ['admin', 'config', 'format', 'watch'],
  upstreams: ['admin', 'config', 'format', 'watch'],
  sessions: [
    'admin',
    'config',
    'route',
    'client',
    'target',
    'identity',
    'state',
    'sort',
    'limit',
    'after',
    'format',
    'watch',
  ],
  top: ['admin', 'config', 'route', 'client', 'target', 'identity', 'state', 'sort'],
  why: ['admin', 'config', 'format'],
  close: ['admin', 'config', 'route', 'client', 'target', 'identity', 'code', 'reason'],
  drain: ['admin', 'config', 'wait', 'timeout'],
  undrain: ['admin', 'config'],
  reload: ['admin', 'config', 'force', 'format'],
  restart: ['admin', 'config', 'format'],
  revoke: ['admin', 'config', 'auth', 'identity', 'key', 'jti', 'all', 'for'],
  extend: ['admin', 'config', 'until'],
  advise: ['admin', 'config', 'route', 'format'],
  healthcheck: ['admin', 'config', 'route'],
  probe: ['header', 'subprotocol', 'message', 'count', 'format'],
  'hash-password': [],
  'hash-key': ['prefix'],
  schema: [],
  version: [],
  help: [],
};

/** How many words may follow a command. */
const positionalsMax: Readonly<Record<CommandName, number>> = {
  run: 0,
  check: 1,
  config: 1,
  status: 0,
  upstreams: 1,
  sessions: 1,
  top: 0,
  why: 1,
  close: 1,
  drain: 3,
  undrain: 3,
  reload: 0,
  restart: 0,
  revoke: 0,
  extend: 1,
  advise: 0,
  healthcheck: 0,
  probe: 1,
  'hash-password': 0,
  'hash-key': 0,
  schema: 0,
  version: 0,
  help: 1,
};

export const commandNames: readonly string[] = Object.keys(commandOptions);

/** `argv` without the interpreter and the script. */
export function parseArguments(argv: readonly string[]): ArgumentsVerdict {
  const given = readOptions(argv);
  if ('ok' in given) return given;
  const [name = 'run', ...rest] = given.positionals;
  if (!isCommandName(name)) return refused(`unknown command "${name}"${didYouMean(name, commandNames)}`);
  if (given.values.has('help')) return helpFor(given.positionals[0] ?? null);
  if (given.values.has('version')) return accepted({ kind: 'version' });
  for (const option of given.values.keys()) {
    if (!commandOptions[name].includes(option)) return refused(`"${name}" takes no option --${option}`);
  }
  const extra = rest[positionalsMax[name]];
  // What stands there may be the password.
  if (extra !== undefined && name === 'hash-password')
    return refused('"hash-password" takes no argument: it reads the password from stdin');
  if (extra !== undefined) return refused(`"${name}" takes no argument "${extra}"`);
  if (name === 'probe') {
    const verdict = judgeProbe(given.values, given.headers, rest);
    return typeof verdict === 'string' ? refused(verdict) : accepted(verdict);
  }
  if (name !== 'check' && name !== 'config') return judgeCommand(name, given.values, rest);
  const [file] = rest;
  if (file === undefined) return judgeCommand(name, given.values, []);
  if (given.values.has('config')) return refused(`"${name}" takes a FILE or --config, not both`);
  return judgeCommand(name, new Map(given.values).set('config', file), []);
}

function judgeCommand(name: Exclude<CommandName, 'probe'>, values: Values, rest: readonly string[]): ArgumentsVerdict {
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
    case 'hash-key':
      return accepted({ kind: 'hash-key', prefix: values.get('prefix') ?? '' });
    case 'hash-password':
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

function helpFor(topic: string | null): ArgumentsVerdict {
  if (topic === null || isCommandName(topic)) return accepted({ kind: 'help', topic });
  return refused(`no help on "${topic}"${didYouMean(topic, commandNames)}`);
}

function isAdminName(name: CommandName): name is AdminCommand['kind'] {
  return commandOptions[name].includes('admin');
}

function isCommandName(name: string): name is CommandName {
  return Object.hasOwn(commandOptions, name);
}

function accepted(command: Command): ArgumentsVerdict {
  return { ok: true, command };
}
