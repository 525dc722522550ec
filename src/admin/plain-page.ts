// The page for whoever runs no scripts: its tables as markup, or, where data needs a token, a sentence that says so.

import { first } from '../limits/pulled.ts';
import type { Advice } from '../observe/advice.ts';
import { renderAdvice } from '../observe/advice-text.ts';
import { durationText, groupedText, sizeText } from '../observe/quantities.ts';
import { madePlain } from './json-pieces.ts';
import { escapedLines, type MarkupColumn, tableMarkup } from './markup.ts';
import type { PageSource } from './page-source.ts';
import type { CountsView, EndCountView, LimitHitView, PartsView } from './page-types.ts';
import type {
  AdminSubject,
  CertificateView,
  RouteView,
  SessionPage,
  SessionView,
  StatusView,
  TargetView,
  TrafficView,
} from './subject.ts';
import type { WorkerStatusView } from './worker-status.ts';

const SESSIONS_TOLD = 100;
const ADVISED_ROUTES = 20;

/** Where a token is needed: only a script can show it. */
export const NEEDS_SCRIPTS =
  '<noscript>\n<p>This page needs scripts: what it shows is told to whoever shows the token of the admin listener, ' +
  'and only a script can do that here. <code>framegate status</code> shows it in a terminal.</p>\n</noscript>';

const column = <T>(head: string, text: (row: T) => string): MarkupColumn<T> => ({ head, text });
const count = (value: number | null) => (value === null ? '-' : groupedText(value));

const facts: readonly MarkupColumn<readonly [name: string, value: string]>[] = [
  column('What', ([name]) => name),
  column('Value', ([, value]) => value),
];

const routes: readonly MarkupColumn<RouteView>[] = [
  column('Route', ({ name }) => name),
  column('State', ({ state }) => state),
  column('Upstream', ({ upstream }) => upstream ?? '-'),
  column('HTTP', ({ http }) => http ?? '-'),
  column('Sessions', ({ sessions }) => count(sessions)),
  column('Limit', ({ sessions_limit }) => count(sessions_limit)),
  column('In all', ({ sessions_total }) => count(sessions_total)),
  column('Refused', ({ handshakes_refused }) => count(handshakes_refused)),
  column('Paused', ({ paused }) => count(paused)),
  column('From clients', ({ from_client }) => trafficText(from_client)),
  column('From backends', ({ from_backend }) => trafficText(from_backend)),
];

const targets: readonly MarkupColumn<TargetView & { readonly upstream: string }>[] = [
  column('Upstream', ({ upstream }) => upstream),
  column('Target', ({ name }) => name),
  column('URL', ({ url }) => url),
  column('State', ({ state, why }) => (why === null ? state : `${state} (${why})`)),
  column('Sessions', ({ sessions }) => count(sessions)),
  column('Limit', ({ sessions_limit }) => count(sessions_limit)),
  column('In all', ({ sessions_total }) => count(sessions_total)),
  column('Failed dials', ({ dials_failed }) => count(dials_failed)),
];

const certificates: readonly MarkupColumn<CertificateView & { readonly listener: string }>[] = [
  column('Listener', ({ listener }) => listener),
  column('Name', ({ name }) => name),
  column('Ends', ({ not_after }) => not_after),
  column('In', ({ expires_in_ms: left }) => (left < 0 ? 'it has ended' : durationText(left))),
];

const workers: readonly MarkupColumn<WorkerStatusView>[] = [
  column('Worker', ({ worker }) => String(worker)),
  column('State', ({ state }) => state),
  column('Sessions', ({ sessions: open }) => count(open)),
  column('Memory', ({ memory_bytes }) => sizeText(memory_bytes)),
  column('Process', ({ pid }) => String(pid)),
];

const ends: readonly MarkupColumn<EndCountView>[] = [
  column('Cause', ({ reason }) => reason),
  column('By', ({ by }) => by),
  column('Code', ({ code }) => code),
  column('Sessions', ({ count: sessions }) => count(sessions)),
];

const limits: readonly MarkupColumn<LimitHitView>[] = [
  column('Limit', ({ limit }) => limit),
  column('Hit by', ({ from }) => (from === null ? 'what it ended' : `messages of a ${from}`)),
  column('Hits', ({ hits }) => count(hits)),
];

const sessions: readonly MarkupColumn<SessionView>[] = [
  column('Session', ({ id }) => id),
  column('State', ({ state }) => state),
  column('Route', ({ route }) => route),
  column('Target', ({ target }) => target),
  column('Client', ({ client }) => client),
  column('Identity', ({ identity }) => identity ?? '-'),
  column('Path', ({ path }) => path),
  column('Subprotocol', ({ subprotocol }) => subprotocol ?? '-'),
  column('Age', ({ age_ms }) => durationText(age_ms)),
  column('From client', ({ from_client }) => trafficText(from_client)),
  column('From backend', ({ from_backend }) => trafficText(from_backend)),
];

/** Read in small steps. */
export async function plainTables(subject: AdminSubject, source: PageSource): Promise<Generator<unknown, string>> {
  const [parts, counts, page, advice] = await Promise.all([
    source.parts(),
    source.counts(),
    subject.sessions({ limit: SESSIONS_TOLD }),
    subject.advice(),
  ]);
  return (function* () {
    const seen: Seen = {
      parts: yield* madePlain<PartsView>(parts),
      counts,
      page: yield* madePlain<SessionPage>(page),
      advice: yield* madePlain<Advice>({ ...advice, routes: first(advice.routes, ADVISED_ROUTES) }),
    };
    return `<noscript>\n${tablesOf(seen).join('')}</noscript>`;
  })();
}

interface Seen {
  readonly parts: PartsView;
  readonly counts: CountsView;
  readonly page: SessionPage;
  readonly advice: Advice;
}

function tablesOf({ parts, counts, page, advice }: Seen): string[] {
  const { status, upstreams, routes_total: routesTotal, targets_total: targetsTotal } = parts;
  const shownTargets = upstreams.flatMap(({ name: upstream, targets: own }) =>
    own.map((target) => ({ ...target, upstream })),
  );
  const shownCertificates = status.listeners.flatMap(({ name: listener, certificates: own }) =>
    own.map((certificate) => ({ ...certificate, listener })),
  );
  return [
    tableMarkup('Process', facts, factsOf(status)),
    ...(status.workers === undefined ? [] : [tableMarkup('Workers', workers, status.workers)]),
    tableMarkup('Routes', routes, status.routes, routesTotal - status.routes.length),
    tableMarkup('Targets', targets, shownTargets, targetsTotal - shownTargets.length),
    tableMarkup('Ends', ends, counts.ends),
    tableMarkup('Limits', limits, counts.limits),
    tableMarkup('Certificates', certificates, shownCertificates),
    tableMarkup('Sessions', sessions, page.sessions, page.more),
    `<h2>Advice</h2>\n<pre>${escapedLines(renderAdvice(advice))}</pre>\n`,
  ];
}

function factsOf({ version, node, pid, state, uptime_ms, config, ...status }: StatusView): [string, string][] {
  return [
    ['State', state],
    ['Version', `${version}, Node ${node}, pid ${pid}`],
    ['Up', durationText(uptime_ms)],
    [
      'Config',
      `${config.name}, loaded ${config.loaded_at}${config.last_reload?.ok === false ? ', last reload REJECTED' : ''}`,
    ],
    [
      'Sessions',
      `${count(status.sessions.open)} of ${count(status.sessions.limit)}, ${count(status.sessions.total)} in all`,
    ],
    ['Handshakes', count(status.handshakes_open)],
    ['Requests', count(status.http_requests_open)],
    [
      'Refused',
      Object.entries(status.refusals)
        .map(([cause, times]) => `${cause} ${count(times)}`)
        .join(', ') || '-',
    ],
    ['Buffered', sizeText(status.buffered_bytes)],
    ['Memory', sizeText(status.memory_bytes)],
    ...status.listeners.map(({ name, address, connections }): [string, string] => [
      'Listener',
      `${name} on ${address}, ${count(connections)} connections`,
    ]),
  ];
}

function trafficText({ messages, bytes }: TrafficView): string {
  return `${count(messages)} / ${sizeText(bytes)}`;
}
