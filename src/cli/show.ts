// Owns the commands that show something: once, or again every second with what went on in between. What is asked for is
// here; how it looks is in the files of the tables.

import type { SessionDetail, SessionPage, StatusView, UpstreamView } from '../admin/subject.ts';
import { unreachable } from '../unreachable.ts';
import { jsonText, queryText } from './admin-texts.ts';
import { type AdminCommand, ExitCode } from './commands.ts';
import { type Conversation, parsed } from './conversation.ts';
import { type Block, laid } from './layout.ts';
import { cutLine, harmless, type Line, line, painted, piece, printed, widthOf } from './line.ts';
import { Failure, type Screen, type Terminal } from './place.ts';
import { Meter, type Rates, routeCounters, sessionCounters, targetCounters } from './rates.ts';
import { busiestFirst, isRateSort, orderText } from './session-order.ts';
import { sessionBlocks, sessionLines } from './session-tables.ts';
import { stateLines, statusBlocks } from './status-table.ts';
import { upstreamBlocks } from './upstream-tables.ts';
import { recordLines } from './why.ts';

type ShowCommand = Extract<AdminCommand, { kind: 'status' | 'upstreams' | 'sessions' | 'top' }>;

type TopCommand = Extract<ShowCommand, { kind: 'top' }>;
type SessionsCommand = Extract<ShowCommand, { kind: 'sessions' }>;

type Upstreams = { readonly upstreams: readonly UpstreamView[] };

const REDRAW_MS = 1_000;
/** More than a screen has lines. */
const SHOWN_LIMIT = 200;
/** Who is busiest now is looked for among those who have sent most in all: nobody else counts what is new. */
const BUSY_LIMIT = 1_000;
const API = '/api/v1';

export async function show(command: ShowCommand, admin: Conversation, terminal: Terminal): Promise<ExitCode> {
  const { screen } = terminal;
  if (command.kind !== 'top' && command.format === 'json') {
    terminal.print(await jsonOf(command, admin));
    return ExitCode.Stopped;
  }
  if (command.kind !== 'top' && !command.watch) {
    // Pipes and files have no width.
    const blocks = await new Views(admin, null).look(command, screen?.columns ?? Number.POSITIVE_INFINITY);
    terminal.print(printed(laid(blocks, Number.POSITIVE_INFINITY), screen?.colour ?? false));
    return ExitCode.Stopped;
  }
  const what = command.kind === 'top' ? '"top"' : '--watch';
  if (screen === null) throw new Failure(ExitCode.Usage, `${what} needs a terminal`);
  return watch(command, admin, { screen, print: terminal.print });
}

async function watch(
  command: ShowCommand,
  admin: Conversation,
  { screen, print }: { readonly screen: Screen; print(text: string): void },
): Promise<never> {
  const views = new Views(admin, { clock: screen });
  // What cannot be answered at all is told where it stays to be read.
  let blocks = await views.look(command, screen.columns);
  screen.enter();
  try {
    for (;;) {
      print(frame(laid(blocks, screen.rows), screen));
      await screen.pause(REDRAW_MS);
      blocks = await views.look(command, screen.columns);
    }
  } finally {
    screen.leave();
  }
}

/**
 * Over what is there already, without a flicker: what is left of each line is cleared behind it, and all below at the
 * end. A line that is as wide as the screen has nothing behind it: to clear there would take its last character.
 */
function frame(lines: readonly Line[], { columns, colour }: Screen): string {
  const drawn = lines.map((one) => `${painted(one, colour)}${widthOf(one) < columns ? '\x1b[K' : ''}`);
  return `\x1b[H${drawn.join('\r\n')}\x1b[J`;
}

async function jsonOf(command: Exclude<ShowCommand, { kind: 'top' }>, admin: Conversation): Promise<string> {
  switch (command.kind) {
    case 'status':
      return jsonText(parsed((await admin.get(`${API}/status`)).body));
    case 'upstreams':
      return jsonText({ upstreams: await upstreamsOf(admin, command.name) });
    case 'sessions':
      return jsonText(parsed((await admin.get(sessionsPath(command))).body));
    default:
      return unreachable(command);
  }
}

async function upstreamsOf(admin: Conversation, name: string | null): Promise<readonly UpstreamView[]> {
  const { upstreams } = await admin.read<Upstreams>(`${API}/upstreams`);
  const chosen = name === null ? upstreams : upstreams.filter((one) => one.name === name);
  if (name !== null && chosen.length === 0) throw new Failure(ExitCode.Failed, `no upstream "${harmless(name)}"`);
  return chosen;
}

function sessionsPath({ id, choice, state, sort, limit, after }: SessionsCommand): string {
  if (id !== null) return `${API}/sessions/${encodeURIComponent(id)}`;
  return `${API}/sessions${queryText({ ...choice, state, sort, limit: limit === null ? null : String(limit), after })}`;
}

/** What one command shows, look after look. */
class Views {
  private readonly admin: Conversation;
  /** Null: nothing is measured. */
  private readonly measured: { readonly clock: Screen } | null;
  private readonly routes = new Meter();
  private readonly targets = new Meter();
  private readonly sessions = new Meter();

  constructor(admin: Conversation, measured: { readonly clock: Screen } | null) {
    this.admin = admin;
    this.measured = measured;
  }

  async look(command: ShowCommand, width: number): Promise<Block[]> {
    switch (command.kind) {
      case 'status':
        return this.status(width);
      case 'upstreams': {
        const upstreams = await upstreamsOf(this.admin, command.name);
        return upstreamBlocks(upstreams, this.targetRates(upstreams), width);
      }
      case 'sessions':
        return this.listed(command, width);
      case 'top':
        return this.top(command, width);
      default:
        return unreachable(command);
    }
  }

  private async status(width: number): Promise<Block[]> {
    const status = await this.admin.read<StatusView>(`${API}/status`);
    const { upstreams } = await this.admin.read<Upstreams>(`${API}/upstreams`);
    const targets = this.targetRates(upstreams);
    const rates = targets === null ? null : { routes: this.routes.look(routeCounters(status)), targets };
    return statusBlocks({ status, upstreams, rates }, width);
  }

  private async listed(command: SessionsCommand, width: number): Promise<Block[]> {
    const path = sessionsPath(command);
    if (command.id !== null) {
      const view = await this.admin.read<SessionDetail>(path);
      const frames = view.record === null ? [] : recordLines(view.record, Number.POSITIVE_INFINITY, view.age_ms, width);
      return [{ head: [], rows: [...sessionLines(view, width), ...frames.map((text) => line(text))] }];
    }
    const page = await this.admin.read<SessionPage>(path);
    const rates = this.measured === null ? null : this.sessions.look(sessionCounters(page.sessions));
    return sessionBlocks({ page, sort: command.sort, isByRate: false, rates }, width);
  }

  private async top({ choice, state, sort }: TopCommand, width: number): Promise<Block[]> {
    const status = await this.admin.read<StatusView>(`${API}/status`);
    const limit = isRateSort(sort) ? BUSY_LIMIT : SHOWN_LIMIT;
    const path = `${API}/sessions${queryText({ ...choice, state, sort, limit: String(limit) })}`;
    const page = await this.admin.read<SessionPage>(path);
    const rates = this.sessions.look(sessionCounters(page.sessions));
    const sessions = isRateSort(sort) ? busiestFirst(page.sessions, rates, sort) : page.sessions;
    const head = [
      ...stateLines(status, this.routes.look(routeCounters(status)), width),
      cutLine(line(piece(orderText(sort, page), 'faint')), width),
    ];
    const picture = { page: { ...page, sessions, next: null }, sort, isByRate: true, rates };
    return [{ head, rows: [] }, ...sessionBlocks(picture, width)];
  }

  private targetRates(upstreams: readonly UpstreamView[]): Rates | null {
    return this.measured === null ? null : this.targets.look(targetCounters(upstreams, this.measured.clock.now()));
  }
}
