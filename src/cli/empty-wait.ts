// Owns the wait until what drains is empty: it asks once a second, and tells how many sessions are left. It drains
// nothing.

import type { StatusView, UpstreamView } from '../admin/subject.ts';
import { durationText, groupedText } from '../observe/quantities.ts';
import { type DrainSubject, ExitCode } from './commands.ts';
import type { Conversation } from './conversation.ts';
import { harmless } from './line.ts';
import { Failure, type Terminal } from './place.ts';

const ASK_MS = 1_000;

/** What is looked at of a route or a target. */
interface Seen {
  readonly state: string;
  readonly sessions: number;
}

/** Infinity waits for ever. */
export async function waitUntilEmpty(
  subject: DrainSubject,
  timeoutMs: number,
  admin: Conversation,
  terminal: Terminal,
): Promise<ExitCode> {
  const name = subjectText(subject);
  let told: number | null = null;
  for (let waitedMs = 0; ; ) {
    const seen = await look(subject, admin);
    if (seen === null) throw new Failure(ExitCode.Failed, `${name} is not there any more`);
    if (seen.sessions === 0) {
      terminal.print(`${name} is empty\n`);
      return ExitCode.Stopped;
    }
    const left = `${groupedText(seen.sessions)} ${seen.sessions === 1 ? 'session' : 'sessions'} left`;
    if (seen.state !== 'draining') throw new Failure(ExitCode.Failed, `${name} drains no more, with ${left}`);
    if (waitedMs >= timeoutMs) {
      throw new Failure(ExitCode.Failed, `${name} is not empty after ${durationText(timeoutMs)}: ${left}`);
    }
    if (seen.sessions !== told) terminal.complain(`${left}\n`);
    told = seen.sessions;
    const pauseMs = Math.min(ASK_MS, timeoutMs - waitedMs);
    await terminal.wait(pauseMs);
    waitedMs += pauseMs;
  }
}

async function look(subject: DrainSubject, admin: Conversation): Promise<Seen | null> {
  if (subject.kind === 'route') {
    const { routes } = await admin.read<Pick<StatusView, 'routes'>>('/api/v1/status');
    return routes.find(({ name }) => name === subject.route) ?? null;
  }
  const { upstreams } = await admin.read<{ readonly upstreams: readonly UpstreamView[] }>('/api/v1/upstreams');
  const upstream = upstreams.find(({ name }) => name === subject.upstream);
  return upstream?.targets.find(({ name }) => name === subject.target) ?? null;
}

function subjectText(subject: DrainSubject): string {
  if (subject.kind === 'route') return `route ${harmless(subject.route)}`;
  return `target ${harmless(subject.target)} of ${harmless(subject.upstream)}`;
}
