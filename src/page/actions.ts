// What may be done from the page. Each thing is asked about first, in words that say what it does to whom, and what
// came of it is told. The listener judges it like any other request.

import type { RouteView, SessionFilter, TargetView } from '../admin/subject.ts';
import { type Api, ApiError, segment } from './api.ts';
import { type Answers, ask, type Field, report } from './ask.ts';
import { groupedText, visible } from './format.ts';

type Part = 'route' | 'target';

/** Codes that the listener takes; README tells what they mean. */
const CODE_PATTERN = '1000|1001|1008|101[1-4]|[34][0-9]{3}';
const closeFields: readonly Field[] = [
  {
    name: 'code',
    label: 'Close code',
    pattern: CODE_PATTERN,
    placeholder: 'as configured',
    hint: '1000, 1001, 1008, 1011 to 1014, or 3000 to 4999',
  },
  { name: 'reason', label: 'Reason that the client is told', placeholder: 'as configured' },
];

export class Actions {
  private readonly api: Api;
  private readonly place: HTMLElement;

  constructor(api: Api, place: HTMLElement) {
    this.api = api;
    this.place = place;
  }

  drainRoute({ name, state, sessions }: RouteView): Promise<void> {
    return this.drainPart('route', visible(name), `api/v1/routes/${segment(name)}`, state === 'draining', sessions);
  }

  drainTarget(upstream: string, { name, state, sessions }: TargetView): Promise<void> {
    const path = `api/v1/upstreams/${segment(upstream)}/targets/${segment(name)}`;
    return this.drainPart('target', visible(name), path, state === 'draining', sessions);
  }

  private async drainPart(
    part: Part,
    name: string,
    path: string,
    isDraining: boolean,
    sessions: number,
  ): Promise<void> {
    const text = isDraining
      ? `It takes new sessions again. Those that were closed do not come back by this.`
      : `It takes no new sessions, and its ${sessionsText(sessions)} closed, spread over drain.spread. ` +
        'This holds until "Undrain", over reloads, too.';
    const verb = isDraining ? 'Undrain' : 'Drain';
    if ((await ask({ title: `${verb} ${part} ${name}?`, text, verb, isGrave: !isDraining })) === null) return;
    await this.run(() => this.api.post(`${path}/${isDraining ? 'undrain' : 'drain'}`), {
      done: () => `The ${part} ${name} ${isDraining ? 'takes new sessions again' : 'is drained'}.`,
      failed: `${verb} ${name}`,
    });
  }

  /** Whether it was done. */
  async closeSession(id: string): Promise<boolean> {
    const text = 'Client and backend get a Close. The client may connect again.';
    const answers = await ask({
      title: `Close session ${visible(id)}?`,
      text,
      verb: 'Close it',
      isGrave: true,
      fields: closeFields,
    });
    if (answers === null) return false;
    return this.run(() => this.api.post(`api/v1/sessions/${segment(id)}/close`, closeOf(answers)), {
      done: () => `Session ${visible(id)} is closing.`,
      failed: `Close ${visible(id)}`,
    });
  }

  async closeSessions(filter: SessionFilter): Promise<void> {
    const what = Object.entries(filter).map(([name, value]) => `${name} ${visible(value)}`);
    const answers = await ask({
      title: 'Close all sessions that match?',
      text:
        `All sessions with ${what.join(' and ')} get a Close, spread over drain.spread, not only those in sight. ` +
        'The clients may connect again.',
      verb: 'Close them all',
      isGrave: true,
      fields: closeFields,
    });
    if (answers === null) return;
    await this.run(
      () => this.api.post<{ closing: number }>('api/v1/sessions/close', { ...filter, ...closeOf(answers) }),
      {
        done: ({ closing }) => `${sessionsText(closing)} closed.`,
        failed: 'Close sessions',
      },
    );
  }

  async reload(force = false): Promise<void> {
    const title = force ? 'Reload in spite of this?' : 'Reload the config?';
    const text = force
      ? 'The config is taken on however many sessions it ends.'
      : 'The config file is read again. If anything is wrong with it, the config that runs stays, and you are told.';
    if ((await ask({ title, text, verb: 'Reload', isGrave: force })) === null) return;
    try {
      const { changed } = await this.api.post<{ changed: readonly string[] }>('api/v1/reload', {
        force: force ? 1 : null,
      });
      report(
        this.place,
        'good',
        changed.length === 0
          ? 'Reloaded: nothing has changed.'
          : `Reloaded: ${changed.map(visible).join(', ')} changed.`,
      );
    } catch (error) {
      const problems = error instanceof ApiError ? error.problems.map(problemOf) : [];
      report(this.place, 'bad', `Reload: ${[textOf(error), ...problems.map(problemText)].join('\n')}`);
      if (!force && problems.some(({ path }) => path === 'reload.max_ended')) await this.reload(true);
    }
  }

  async drainAll(sessions: number): Promise<void> {
    const answers = await ask({
      title: 'End framegate?',
      text:
        `framegate takes no more clients, its ${sessionsText(sessions)} closed as the config's drain says, and then ` +
        'the process ends. This page ends with it, and nothing here starts it again.',
      verb: 'Drain and end',
      isGrave: true,
      fields: [{ name: 'word', label: 'Type "drain" if you mean it', pattern: 'drain', isNeeded: true }],
    });
    if (answers?.word !== 'drain') return;
    await this.run(() => this.api.post('api/v1/drain'), { done: () => 'framegate is draining.', failed: 'Drain' });
  }

  private async run<T>(
    act: () => Promise<T>,
    { done, failed }: { readonly done: (result: T) => string; readonly failed: string },
  ): Promise<boolean> {
    try {
      report(this.place, 'good', done(await act()));
      return true;
    } catch (error) {
      report(this.place, 'bad', `${failed}: ${textOf(error)}`);
      return false;
    }
  }
}

function sessionsText(count: number): string {
  return count === 1 ? '1 session is' : `${groupedText(count)} sessions are`;
}

function closeOf({ code = '', reason = '' }: Answers): Record<string, string | null> {
  return { code: code || null, reason: reason || null };
}

/** In a sentence, for people. */
export function textOf(error: unknown): string {
  if (!(error instanceof ApiError)) return error instanceof Error ? error.message : String(error);
  if (error.error === 'unreachable') return 'framegate does not answer.';
  if (error.status === 401) return 'the token is not right.';
  return `${error.message}.`;
}

interface ShownProblem {
  readonly place: string;
  readonly path: string;
  readonly message: string;
}

function problemOf(problem: unknown): ShownProblem {
  const { file, line, path, message } = (problem ?? {}) as Record<string, unknown>;
  const place = typeof line === 'number' ? `${file}:${line}` : '';
  return { place, path: String(path ?? ''), message: String(message ?? '') };
}

function problemText({ place, path, message }: ShownProblem): string {
  return visible([place, path, message].filter((part) => part !== '').join(': '));
}
