// Owns where a command finds the running proxy: the flag and the variable, or what they leave open from a config file.
// And how a command gives up. It must not ask the proxy anything.

import { formatProblems } from '../config/problems.ts';
import type { AdminConfig, Config } from '../config/types.ts';
import { type AdminEndpoint, type AdminReply, type AdminRequest, parseAdminAddress } from './client.ts';
import { type AdminPlace, ExitCode } from './commands.ts';
import { adminOf, DEFAULT_FILE, loadSource, type Surroundings } from './load.ts';

/** A terminal to draw on. */
export interface Screen {
  /** As they are now. */
  readonly columns: number;
  readonly rows: number;
  readonly colour: boolean;
  /** Monotonic milliseconds. */
  now(): number;
  /** From here to `leave` there is nothing else on it. Whatever ends the process meanwhile leaves it, too. */
  enter(): void;
  leave(): void;
  /** Resolves after `ms`, or as soon as the size has changed. */
  pause(ms: number): Promise<void>;
}

/** What a command may use of the process. */
export interface Terminal extends Surroundings {
  print(text: string): void;
  complain(text: string): void;
  /** Null when the output is no terminal. */
  readonly screen: Screen | null;
  wait(ms: number): Promise<void>;
  /** How a request is made; the network's way when absent. */
  ask?(endpoint: AdminEndpoint, request: AdminRequest): Promise<AdminReply>;
}

export const TOKEN_VARIABLE = 'FRAMEGATE_ADMIN_TOKEN';

/** What went wrong; it is told, then the command ends. */
export class Failure extends Error {
  readonly exit: ExitCode;

  constructor(exit: ExitCode, message: string) {
    super(message);
    this.exit = exit;
  }
}

/** An admin listener to ask; or a config that has none, for those who can do without. */
type Place = Asked | { readonly endpoint: null; readonly config: Config; readonly file: string };

export interface Asked {
  readonly endpoint: AdminEndpoint;
  /** Where its token is from, in words; null without one. */
  readonly tokenFrom: string | null;
}

export async function placeOf(at: AdminPlace, terminal: Terminal): Promise<Place> {
  if (at.address !== null) {
    const address = parseAdminAddress(at.address);
    if ('problem' in address) throw new Failure(ExitCode.Usage, `--admin: ${address.problem}`);
    return asked(address, null, '', terminal);
  }
  const result = await loadSource(at.source, terminal);
  if (result === null) {
    throw new Failure(ExitCode.BadConfig, `no ${DEFAULT_FILE} here: say where to ask with --admin ADDRESS or -c FILE`);
  }
  const { file } = result;
  if ('config' in result) {
    const { config } = result;
    if (config.admin === null) return { endpoint: null, config, file };
    return asked(knownAddress(config.admin, file), config.admin.token, file, terminal);
  }
  // The proxy runs on what it read before: whoever mends the file has to be able to ask it.
  const admin = adminOf(result, at.source, terminal);
  if (admin === null) {
    terminal.complain(formatProblems(result.problems, result.text, file));
    throw new Failure(ExitCode.BadConfig, `--admin HOST:PORT, with ${TOKEN_VARIABLE}, asks without this file`);
  }
  terminal.complain(`framegate: ${file} has problems, which "framegate check" tells; its admin is used\n`);
  return asked(knownAddress(admin, file), admin.token, file, terminal);
}

function knownAddress({ address }: AdminConfig, file: string): AdminEndpoint['address'] {
  if (address.kind !== 'fd') return address;
  const where = `the admin listener of ${file} is on a socket that is handed over`;
  throw new Failure(ExitCode.BadConfig, `${where}: say where that is with --admin ADDRESS`);
}

/** The variable goes before what the file says; an empty one counts as unset. */
function asked(address: AdminEndpoint['address'], token: string | null, file: string, { env }: Terminal): Asked {
  const own = env[TOKEN_VARIABLE] ?? '';
  if (own !== '') return { endpoint: { address, token: own }, tokenFrom: TOKEN_VARIABLE };
  return { endpoint: { address, token }, tokenFrom: token === null ? null : `admin.token in ${file}` };
}
