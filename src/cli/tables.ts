// Owns the pictures: what the admin listener answers as tables for a terminal. Pure, and it lets nothing through that a
// terminal would obey; paths and names come from elsewhere.

import type {
  CertificateView,
  RouteView,
  SessionPage,
  SessionSideView,
  SessionView,
  StatusView,
  UpstreamView,
} from '../admin/subject.ts';
import { durationText, groupedText, sizeText } from '../observe/quantities.ts';
import { type Column, harmless, left, limitText, right, section, table } from './table.ts';
import { targetSections } from './upstream-tables.ts';

const routeColumns: readonly Column<RouteView>[] = [
  { ...left('ROUTE', ({ name }: RouteView) => name), gives: true },
  left('STATE', ({ state }) => state),
  right('SESSIONS', ({ sessions }) => groupedText(sessions)),
  right('LIMIT', ({ sessions_limit }) => limitText(sessions_limit)),
  right('TOTAL', ({ sessions_total }) => groupedText(sessions_total)),
  right('REFUSED', ({ handshakes_refused }) => groupedText(handshakes_refused)),
  right('PAUSED', ({ paused }) => groupedText(paused)),
  right('FROM CLIENT', ({ from_client }) => trafficText(from_client)),
  right('FROM BACKEND', ({ from_backend }) => trafficText(from_backend)),
];

/** Where some route serves requests without upgrade. */
const httpColumn = right<RouteView>('REQUESTS', ({ http, http_requests }) =>
  http === null ? '-' : groupedText(http_requests),
);

export function renderStatus(status: StatusView, upstreams: readonly UpstreamView[], width: number): string {
  const { sessions, config } = status;
  const servesHttp = status.routes.some(({ http }) => http !== null);
  const requests = servesHttp ? `requests ${groupedText(status.http_requests_open)}; ` : '';
  const columns = servesHttp ? [...routeColumns, httpColumn] : routeColumns;
  const reload = config.last_reload;
  const reloaded = reload === null ? 'never reloaded' : `last reload ${reload.ok ? 'ok' : 'REJECTED'} ${reload.at}`;
  const facts = [
    `framegate ${status.version}  ${status.state.toUpperCase()}  up ${durationText(status.uptime_ms)}  ` +
      `pid ${status.pid}`,
    `sessions ${groupedText(sessions.open)} of ${limitText(sessions.limit)}, ${groupedText(sessions.total)} in all; ` +
      `handshakes ${groupedText(status.handshakes_open)}; ${requests}buffered ${sizeText(status.buffered_bytes)}; ` +
      `memory ${sizeText(status.memory_bytes)}`,
    ...refusalLines(status),
    `config ${config.name}, loaded ${config.loaded_at}, ${reloaded}`,
    ...status.listeners.flatMap(({ name, address, connections, certificates }) => [
      `listening on ${address}${name === address ? '' : ` (${name})`}, ${groupedText(connections)} connections`,
      ...certificateLines(certificates),
    ]),
  ];
  const tables = [...section(columns, status.routes, width), ...targetSections(upstreams, width)];
  return `${[...facts.map(harmless), ...tables].join('\n')}\n`;
}

/** The one that ends first, and how many there are. */
function certificateLines(certificates: readonly CertificateView[]): string[] {
  const [first] = certificates;
  if (first === undefined) return [];
  const { name, not_after, expires_in_ms: left } = first;
  const when = left < 0 ? `EXPIRED ${not_after}` : `ends in ${durationText(left)}, ${not_after}`;
  const others =
    certificates.length === 1 ? '' : `; ${groupedText(certificates.length)} certificates, the first to end`;
  return [`  certificate ${name} ${when}${others}`];
}

/** None when nobody was refused. */
function refusalLines({ refusals }: StatusView): string[] {
  const causes = Object.entries(refusals).map(([cause, count]) => `${cause} ${groupedText(count)}`);
  return causes.length === 0 ? [] : [`refused ${causes.join(', ')}`];
}

const sessionColumns: readonly Column<SessionView>[] = [
  left('ID', ({ id }) => id),
  left('STATE', ({ state }) => state),
  left('ROUTE', ({ route }) => route),
  left('TARGET', ({ target }) => target),
  left('CLIENT', ({ client }) => client),
  left('IDENTITY', ({ auth, identity }) => (auth === null ? '-' : `${auth}/${identity ?? '-'}`)),
  right('EXPIRES', ({ expires_in_ms }) => (expires_in_ms === null ? '-' : durationText(expires_in_ms))),
  right('AGE', ({ age_ms }) => durationText(age_ms)),
  right('SILENT', ({ from_client, from_backend }) =>
    durationText(Math.min(from_client.silent_ms, from_backend.silent_ms)),
  ),
  right('RTT', ({ ping_rtt_ms }) => (ping_rtt_ms === null ? '-' : durationText(ping_rtt_ms))),
  right('FROM CLIENT', ({ from_client }) => trafficText(from_client)),
  right('FROM BACKEND', ({ from_backend }) => trafficText(from_backend)),
  right('BUFFERED', ({ from_client, from_backend }) => sizeText(from_client.buffered + from_backend.buffered)),
  { ...left('PATH', ({ path }: SessionView) => path), gives: true },
];

export function renderSessions({ sessions, next }: SessionPage, width: number): string {
  if (sessions.length === 0) return 'no sessions\n';
  const more = next === null ? [] : ['', `more: --after ${harmless(next)}`];
  return `${[...table(sessionColumns, sessions, width), ...more].join('\n')}\n`;
}

const NAME_WIDTH = 14;

export function renderSession(view: SessionView): string {
  const ending = view.reason === null ? '' : ` (${view.reason})`;
  const rows: readonly (readonly [name: string, text: string | null])[] = [
    ['session', view.id],
    ['state', `${view.state}${ending}`],
    ['route', view.route],
    ['path', view.path],
    ['client', view.peer === null ? view.client : `${view.client} through ${view.peer}`],
    ['listener', view.listener],
    ['upstream', `${view.upstream}, target ${view.target}`],
    ['subprotocol', view.subprotocol],
    ['request id', view.request_id],
    [
      'auth',
      view.auth === null ? null : view.identity === null ? view.auth : `${view.auth}, identity ${view.identity}`,
    ],
    ['expires', view.expires_in_ms === null ? null : `in ${durationText(view.expires_in_ms)}, ${view.expires_at}`],
    ['age', durationText(view.age_ms)],
    ['ping', view.ping_rtt_ms === null ? null : `${durationText(view.ping_rtt_ms)} there and back`],
    ['from client', sideText(view.from_client)],
    ['from backend', sideText(view.from_backend)],
  ];
  return rows.map(([name, text]) => (text === null ? '' : `${name.padEnd(NAME_WIDTH)}${harmless(text)}\n`)).join('');
}

function sideText(side: SessionSideView): string {
  const paused = side.paused ? ', not read now: the other side does not take it' : '';
  return (
    `${groupedText(side.messages)} messages, ${sizeText(side.bytes)}, largest ${sizeText(side.largest_message)}; ` +
    `silent ${durationText(side.silent_ms)}; ${sizeText(side.buffered)} waiting, ${side.pauses} pauses${paused}`
  );
}

function trafficText({ messages, bytes }: { readonly messages: number; readonly bytes: number }): string {
  return `${groupedText(messages)} / ${sizeText(bytes)}`;
}
