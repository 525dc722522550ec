// Owns the commands that ask a running proxy: which request each makes, what is printed of the answer, the exit code.
// Streams, environment and waiting are arguments; it touches no process.

import type { RevokeResult, WhyView } from '../admin/subject.ts';
import type { Problem } from '../config/problems.ts';
import { formatProblems } from '../config/problems.ts';
import type { Advice } from '../observe/advice.ts';
import { renderAdvice } from '../observe/advice-text.ts';
import { unreachable } from '../unreachable.ts';
import { jsonText, queryText } from './admin-texts.ts';
import { type AdminCommand, type DrainSubject, ExitCode, type SessionChoice } from './commands.ts';
import { Conversation, parsed } from './conversation.ts';
import { waitUntilEmpty } from './empty-wait.ts';
import { checkDataPort } from './healthcheck.ts';
import { harmless, wrapped } from './line.ts';
import { Failure, placeOf, type Terminal } from './place.ts';
import { show } from './show.ts';
import { renderWhy, WHY_WIDTH } from './why.ts';

const API = '/api/v1';

export async function runAdminCommand(command: AdminCommand, terminal: Terminal): Promise<ExitCode> {
  try {
    const place = await placeOf(command.at, terminal);
    if (place.endpoint !== null) return await run(command, new Conversation(place, terminal), terminal);
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
    case 'upstreams':
    case 'sessions':
    case 'top':
      return show(command, admin, terminal);
    case 'why':
      terminal.print(await whyPicture(command, admin, terminal));
      return ExitCode.Stopped;
    case 'close':
      return close(command, admin, terminal);
    case 'drain':
      await drain('drain', command.subject, admin, terminal);
      if (command.wait === null || command.subject === null) return ExitCode.Stopped;
      return waitUntilEmpty(command.subject, command.wait.timeoutMs, admin, terminal);
    case 'undrain':
      await drain('undrain', command.subject, admin, terminal);
      return ExitCode.Stopped;
    case 'reload':
      return reload(command, admin, terminal);
    case 'restart':
      return restart(command.format, admin, terminal);
    case 'revoke':
      return revoke(command, admin, terminal);
    case 'extend': {
      const { id, until } = command;
      await admin.post(`${API}/sessions/${encodeURIComponent(id)}/extend${queryText({ until: String(until) })}`);
      terminal.print(`${harmless(id)} ends at ${new Date(until * 1000).toISOString()}\n`);
      return ExitCode.Stopped;
    }
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

async function whyPicture(
  { id, format }: Extract<AdminCommand, { kind: 'why' }>,
  admin: Conversation,
  terminal: Terminal,
): Promise<string> {
  const { body } = await admin.get(`${API}/sessions/${encodeURIComponent(id)}/why`);
  if (format === 'json') return jsonText(parsed(body));
  const { columns, rows } = terminal.screen ?? { columns: WHY_WIDTH, rows: Number.POSITIVE_INFINITY };
  return renderWhy(parsed<WhyView>(body), columns, rows);
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

async function revoke(
  { choice, time }: Extract<AdminCommand, { kind: 'revoke' }>,
  admin: Conversation,
  terminal: Terminal,
): Promise<ExitCode> {
  const { auth, kind, value } = choice;
  const reply = await admin.post(`${API}/revoke${queryText({ auth, [kind]: value, for: time })}`);
  const { ended, until, durable } = parsed<Extract<RevokeResult, { ended: number }>>(reply.body);
  const how = durable ? '' : ', or until a restart: there is no revocations.dir';
  terminal.print(`ended ${ended} ${ended === 1 ? 'session' : 'sessions'}; refused until ${harmless(until)}${how}\n`);
  return ExitCode.Stopped;
}

async function drain(
  action: 'drain' | 'undrain',
  subject: DrainSubject | null,
  admin: Conversation,
  terminal: Terminal,
): Promise<void> {
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
}

const REJECTED = 422;

async function reload(
  { force, format }: Extract<AdminCommand, { kind: 'reload' }>,
  admin: Conversation,
  terminal: Terminal,
): Promise<ExitCode> {
  const { status, body } = await admin.post(`${API}/reload${force ? '?force=1' : ''}`, [REJECTED]);
  if (format === 'json') {
    terminal.print(jsonText(parsed(body)));
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

/** The proxy waits for 30 s. */
const RESTART_MS = 45_000;
const NOT_RESTARTED = [409, 500];

async function restart(format: 'text' | 'json', admin: Conversation, terminal: Terminal): Promise<ExitCode> {
  const { status, body } = await admin.post(`${API}/restart`, NOT_RESTARTED, { timeoutMs: RESTART_MS });
  const isRefused = NOT_RESTARTED.includes(status);
  if (format === 'json') {
    terminal.print(jsonText(parsed(body)));
  } else if (isRefused) {
    const { message, why = '' } = parsed<{ readonly message: string; readonly why?: string }>(body);
    const lines = why.split('\n').map(harmless).join('\n');
    terminal.complain(`${lines === '' ? '' : `${lines}\n`}framegate: no restart: ${harmless(message)}\n`);
  } else {
    const { pid, ms } = parsed<{ readonly pid: number; readonly ms: number }>(body);
    terminal.print(`process ${pid} took over after ${ms} ms; the old one ends its sessions, then itself\n`);
  }
  return isRefused ? ExitCode.Failed : ExitCode.Stopped;
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
  const width = terminal.screen?.columns ?? Number.POSITIVE_INFINITY;
  terminal.print(format === 'json' ? jsonText(chosen) : fitLines(renderAdvice(chosen), width));
  return ExitCode.Stopped;
}

/** Further lines of one are set in a little more than it is. */
function fitLines(text: string, width: number): string {
  const lines = text.split('\n').map(harmless);
  return lines.flatMap((one) => wrapped(one, width, Math.max(0, one.search(/\S/)) + 2)).join('\n');
}
