// Owns the commands that ask a running proxy: which request each makes, what is printed of the answer, the exit code.
// Streams, environment and waiting are arguments; it touches no process.

import type { SessionPage, SessionView, StatusView, UpstreamView } from '../admin/subject.ts';
import type { Problem } from '../config/problems.ts';
import { formatProblems } from '../config/problems.ts';
import type { Advice } from '../observe/advice.ts';
import { renderAdvice } from '../observe/advice-text.ts';
import { unreachable } from '../unreachable.ts';
import { type AdminEndpoint, type AdminReply, type AdminRequest, askAdmin, endpointText } from './client.ts';
import { type AdminCommand, type DrainSubject, ExitCode, type SessionChoice } from './commands.ts';
import { checkDataPort } from './healthcheck.ts';
import { Failure, placeOf, type Terminal, TOKEN_VARIABLE } from './place.ts';
import { harmless, renderSession, renderSessions, renderStatus } from './tables.ts';

/** For pipes and files: nothing is cut there. */
const WIDTH_UNBOUNDED = 1_000;
const REDRAW_MS = 1_000;
const API = '/api/v1';

export async function runAdminCommand(command: AdminCommand, terminal: Terminal): Promise<ExitCode> {
  try {
    const place = await placeOf(command.at, terminal);
    if (place.endpoint !== null) return await run(command, new Conversation(place.endpoint, terminal), terminal);
    if (command.kind === 'healthcheck' && command.route === null) return await checkDataPort(place.config, terminal);
    throw new Failure(ExitCode.BadConfig, `${place.file} has no admin listener: "admin: {}" in it makes one`);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (error.message !== '') terminal.complain(`framegate: ${error.message}\n`);
    return error.exit;
  }
}

async function run(command: AdminCommand, admin: Conversation, terminal: Terminal): Promise<ExitCode> {
  switch (command.kind) {
    case 'status':
    case 'sessions':
      return show(command, admin, terminal);
    case 'close':
      return close(command, admin, terminal);
    case 'drain':
    case 'undrain':
      return drain(command.kind, command.subject, admin, terminal);
    case 'reload':
      return reload(command, admin, terminal);
    case 'advise':
      return printAdvice(command.route, command.format, admin, terminal);
    case 'healthcheck': {
      const query = queryText({ route: command.route });
      const { status } = await admin.read<{ readonly status: string }>(`/readyz${query}`, [503]);
      terminal.print(`${harmless(status)}\n`);
      return status === 'ready' ? ExitCode.Stopped : ExitCode.Failed;
    }
    default:
      return unreachable(command);
  }
}

type ShowCommand = Extract<AdminCommand, { kind: 'status' | 'sessions' }>;

async function show(command: ShowCommand, admin: Conversation, terminal: Terminal): Promise<ExitCode> {
  if (!command.watch) {
    terminal.print(await picture(command, admin, terminal.screen?.columns ?? WIDTH_UNBOUNDED));
    return ExitCode.Stopped;
  }
  if (terminal.screen === null) throw new Failure(ExitCode.Usage, '--watch needs a terminal');
  for (;;) {
    terminal.print(frame(await picture(command, admin, terminal.screen.columns), terminal.screen.rows));
    await terminal.wait(REDRAW_MS);
  }
}

/** What one look shows, as text. */
async function picture(command: ShowCommand, admin: Conversation, width: number): Promise<string> {
  if (command.kind === 'status') {
    const status = await admin.get(`${API}/status`);
    if (command.format === 'json') return jsonText(status.body);
    const { upstreams } = await admin.read<{ readonly upstreams: readonly UpstreamView[] }>(`${API}/upstreams`);
    return renderStatus(parsed<StatusView>(status.body), upstreams, width);
  }
  if (command.id !== null) {
    const { body } = await admin.get(`${API}/sessions/${encodeURIComponent(command.id)}`);
    return command.format === 'json' ? jsonText(body) : renderSession(parsed<SessionView>(body));
  }
  const { choice, state, limit, after } = command;
  const query = queryText({ ...choice, state, limit: limit === null ? null : String(limit), after });
  const { body } = await admin.get(`${API}/sessions${query}`);
  return command.format === 'json' ? jsonText(body) : renderSessions(parsed<SessionPage>(body), width);
}

/** Over what is there already, without a flicker: each line is cleared as it is written, the rest at the end. */
function frame(text: string, rows: number): string {
  const lines = text.split('\n').slice(0, Math.max(1, rows - 1));
  return `\x1b[H${lines.map((line) => `${line}\x1b[K\n`).join('')}\x1b[J`;
}

async function close(
  command: Extract<AdminCommand, { kind: 'close' }>,
  admin: Conversation,
  terminal: Terminal,
): Promise<ExitCode> {
  const { id, choice, code, reason } = command;
  const path = id === null ? `sessions/close` : `sessions/${encodeURIComponent(id)}/close`;
  const chosen: SessionChoice | null = id === null ? choice : null;
  const reply = await admin.post(`${API}/${path}${queryText({ ...chosen, code, reason })}`);
  const { closing } = parsed<{ readonly closing: number }>(reply.body);
  terminal.print(`closing ${closing} ${closing === 1 ? 'session' : 'sessions'}\n`);
  return ExitCode.Stopped;
}

async function drain(
  action: 'drain' | 'undrain',
  subject: DrainSubject | null,
  admin: Conversation,
  terminal: Terminal,
): Promise<ExitCode> {
  const what = action === 'drain' ? 'draining' : 'open for new sessions again:';
  if (subject === null) {
    await admin.post(`${API}/drain`);
    terminal.print('draining, then the process ends\n');
  } else if (subject.kind === 'route') {
    await admin.post(`${API}/routes/${encodeURIComponent(subject.route)}/${action}`);
    terminal.print(`${what} route ${harmless(subject.route)}\n`);
  } else {
    const { upstream, target } = subject;
    const path = `upstreams/${encodeURIComponent(upstream)}/targets/${encodeURIComponent(target)}/${action}`;
    await admin.post(`${API}/${path}`);
    terminal.print(`${what} target ${harmless(target)} of ${harmless(upstream)}\n`);
  }
  return ExitCode.Stopped;
}

const REJECTED = 422;

async function reload(
  { force, format }: Extract<AdminCommand, { kind: 'reload' }>,
  admin: Conversation,
  terminal: Terminal,
): Promise<ExitCode> {
  const { status, body } = await admin.post(`${API}/reload${force ? '?force=1' : ''}`, [REJECTED]);
  if (format === 'json') {
    terminal.print(jsonText(body));
  } else if (status === REJECTED) {
    const { problems } = parsed<{ readonly problems: readonly Problem[] }>(body);
    // The source lines are on the proxy's machine; without them the positions have to do.
    terminal.complain(`${formatProblems(problems, null)}framegate: reload rejected, the old config stays\n`);
  } else {
    const { changed } = parsed<{ readonly changed: readonly string[] }>(body);
    terminal.print(changed.length === 0 ? 'nothing changed\n' : `changed:\n${changed.map(listItem).join('')}`);
  }
  return status === REJECTED ? ExitCode.Failed : ExitCode.Stopped;
}

function listItem(path: string): string {
  return `  ${harmless(path)}\n`;
}

async function printAdvice(
  route: string | null,
  format: 'text' | 'json',
  admin: Conversation,
  terminal: Terminal,
): Promise<ExitCode> {
  const advice = await admin.read<Advice>(`${API}/advice`);
  const routes = route === null ? advice.routes : advice.routes.filter((one) => one.route === route);
  if (route !== null && routes.length === 0) throw new Failure(ExitCode.Failed, `no route "${harmless(route)}"`);
  const chosen = { ...advice, routes };
  terminal.print(format === 'json' ? `${JSON.stringify(chosen, null, 2)}\n` : escapeLines(renderAdvice(chosen)));
  return ExitCode.Stopped;
}

function escapeLines(text: string): string {
  return text.split('\n').map(harmless).join('\n');
}

type Answered = Extract<AdminReply, { kind: 'answer' }>;

/** Requests to one admin listener; whatever is not an answer to go on with becomes a Failure. */
class Conversation {
  private readonly endpoint: AdminEndpoint;
  private readonly ask: NonNullable<Terminal['ask']>;

  constructor(endpoint: AdminEndpoint, terminal: Terminal) {
    this.endpoint = endpoint;
    this.ask = terminal.ask ?? askAdmin;
  }

  get(path: string, accepted: readonly number[] = []): Promise<Answered> {
    return this.request({ method: 'GET', path }, accepted);
  }

  post(path: string, accepted: readonly number[] = []): Promise<Answered> {
    return this.request({ method: 'POST', path }, accepted);
  }

  async read<T>(path: string, accepted: readonly number[] = []): Promise<T> {
    return parsed<T>((await this.get(path, accepted)).body);
  }

  /** `accepted` are further statuses that are not taken for a refusal. */
  private async request(request: AdminRequest, accepted: readonly number[]): Promise<Answered> {
    const reply = await this.ask(this.endpoint, request);
    if (reply.kind === 'silence') {
      const where = endpointText(this.endpoint);
      throw new Failure(ExitCode.NoAnswer, `no answer from the admin listener on ${where} (${harmless(reply.why)})`);
    }
    if ((reply.status >= 200 && reply.status < 300) || accepted.includes(reply.status)) return reply;
    throw new Failure(ExitCode.Failed, refusalText(reply));
  }
}

function refusalText({ status, body }: Answered): string {
  const hint = status === 401 ? ` (in ${TOKEN_VARIABLE}, or the config's admin.token)` : '';
  try {
    const { message } = parsed<{ readonly message: unknown }>(body);
    if (typeof message === 'string') return `refused with ${status}: ${harmless(message)}${hint}`;
  } catch {
    // Somebody else answers there: the status is all there is to tell.
  }
  return `refused with ${status}; is this an admin listener of framegate?`;
}

/** The other end is this very program: its answers have the shapes of admin/subject.ts; anybody else's do not parse. */
function parsed<T>(body: string): T {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === 'object' && value !== null) return value as T;
  } catch {
    // told below
  }
  throw new Failure(ExitCode.Failed, 'the answer is not one of an admin listener of framegate');
}

function jsonText(body: string): string {
  return `${JSON.stringify(parsed(body), null, 2)}\n`;
}

function queryText(parameters: Readonly<Record<string, string | null>>): string {
  const given = Object.entries(parameters).filter((entry): entry is [string, string] => entry[1] !== null);
  return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`;
}
