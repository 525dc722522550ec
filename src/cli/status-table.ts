// Owns the picture of a running proxy as a whole: its state, its listeners and routes, the targets behind them. Pure.

import type { GenerationView } from '../admin/generations.ts';
import type { CertificateView, RouteView, StatusView, UpstreamView, WaitedCertificateView } from '../admin/subject.ts';
import type { WorkerStatusView } from '../admin/worker-status.ts';
import { durationText, groupedText, sizeText } from '../observe/quantities.ts';
import { type Block, tableBlocks } from './layout.ts';
import { cutLine, flow, type Line, line, piece, type Tone, wrapped } from './line.ts';
import { ALL_ROUTES, type Rate, type Rates, rateText, UNKNOWN } from './rates.ts';
import { type Column, left, limitText, NONE, right } from './table.ts';
import { targetBlocks } from './upstream-tables.ts';

/** What `status` shows. */
interface StatusPicture {
  readonly status: StatusView;
  readonly upstreams: readonly UpstreamView[];
  /** By route, and by target; null: nobody measures. */
  readonly rates: { readonly routes: Rates; readonly targets: Rates } | null;
}

const ENDS_SOON_MS = 14 * 86_400_000;

const workerColumns: readonly Column<WorkerStatusView>[] = [
  right('WORKER', ({ worker }) => String(worker)),
  left('STATE', ({ state }) => state, { tone: ({ state }) => workerTone(state) }),
  right('SESSIONS', ({ sessions }) => groupedText(sessions)),
  right('MEMORY', ({ memory_bytes }) => sizeText(memory_bytes)),
  right('PID', ({ pid }) => String(pid)),
];

function workerTone(state: WorkerStatusView['state']): Tone {
  if (state === 'ready') return 'good';
  return state === 'silent' ? 'bad' : 'warn';
}

function routeColumns({ status, rates }: StatusPicture): readonly Column<RouteView>[] {
  const rateOf = ({ name }: RouteView): Rate | undefined => rates?.routes.get(name);
  const servesHttp = status.routes.some(({ http }) => http !== null);
  return [
    left('ROUTE', ({ name }) => name, { gives: 8 }),
    left('STATE', ({ state }) => state, { tone: ({ state }) => (state === 'open' ? 'good' : 'warn') }),
    right('SESSIONS', ({ sessions }) => groupedText(sessions)),
    right('LIMIT', ({ sessions_limit }) => limitText(sessions_limit), { rank: 8 }),
    ...(rates === null ? [] : rateColumns(rateOf)),
    right('TOTAL', ({ sessions_total }) => groupedText(sessions_total), { rank: 7 }),
    right('REFUSED', ({ handshakes_refused }) => groupedText(handshakes_refused), { rank: 1 }),
    right('PAUSED', ({ paused }) => groupedText(paused), {
      rank: 2,
      tone: ({ paused }) => (paused > 0 ? 'warn' : null),
    }),
    right('FROM CLIENT', ({ from_client }) => trafficText(from_client), { rank: 5 }),
    right('FROM BACKEND', ({ from_backend }) => trafficText(from_backend), { rank: 6 }),
    // Where some route serves requests without upgrade.
    ...(servesHttp ? [right<RouteView>('REQUESTS', requestsText, { rank: 4 })] : []),
  ];
}

function rateColumns<T>(rateOf: (row: T) => Rate | undefined): readonly Column<T>[] {
  return [
    right('NEW/S', (row) => rateText(rateOf(row)?.sessions)),
    right('MESSAGES/S', (row) => rateText(rateOf(row)?.messages)),
    right('BYTES/S', (row) => bytesText(rateOf(row)?.bytes)),
  ];
}

export function bytesText(rate: number | undefined): string {
  return rate === undefined ? UNKNOWN : sizeText(rate);
}

function requestsText({ http, http_requests }: RouteView): string {
  return http === null ? NONE : groupedText(http_requests);
}

export function trafficText({ messages, bytes }: { readonly messages: number; readonly bytes: number }): string {
  return `${groupedText(messages)} / ${sizeText(bytes)}`;
}

export function statusBlocks(picture: StatusPicture, width: number): Block[] {
  const { status, upstreams, rates } = picture;
  const { config } = status;
  const reload = config.last_reload;
  const head = [
    ...stateLines(status, rates?.routes ?? null, width),
    ...status.before.map((one) => cutLine(olderLine(one), width)),
    ...refusalLines(status, width),
    ...flow(
      [
        line(`config ${config.name}`),
        line(`loaded ${config.loaded_at}`),
        reload === null
          ? line('never reloaded')
          : line('last reload ', piece(reload.ok ? 'ok' : 'REJECTED', reload.ok ? null : 'bad'), ` ${reload.at}`),
      ],
      width,
    ),
  ];
  const listeners = status.listeners.flatMap(({ name, address, connections, certificates, waiting }) => [
    line(`listening on ${address}${name === address ? '' : ` (${name})`}, ${groupedText(connections)} connections`),
    ...certificateLines(certificates),
    ...waiting.map(waitedLine),
  ]);
  return [
    { head, rows: listeners.map((one) => cutLine(one, width)) },
    // Where several processes share the sessions.
    ...(status.workers === undefined ? [] : tableBlocks(workerColumns, status.workers, width)),
    ...tableBlocks(routeColumns(picture), status.routes, width),
    ...targetBlocks(upstreams, rates?.targets ?? null, width),
  ];
}

function olderLine({ pid, state, sessions }: GenerationView): Line {
  return line(`older process ${pid}  `, piece(state.toUpperCase(), 'warn'), `  sessions ${groupedText(sessions)}`);
}

/** Of the process: what it is, how full it is, and what goes on when that is measured. */
export function stateLines(status: StatusView, rates: Rates | null, width: number): Line[] {
  const { sessions } = status;
  const servesHttp = status.routes.some(({ http }) => http !== null);
  const isReady = status.state === 'ready';
  const state = piece(status.state.toUpperCase(), isReady ? 'good' : 'warn');
  const facts = [
    line(
      `sessions ${groupedText(sessions.open)} of ${limitText(sessions.limit)}, ${groupedText(sessions.total)} in all`,
    ),
    line(`handshakes ${groupedText(status.handshakes_open)}`),
    ...(servesHttp ? [line(`requests ${groupedText(status.http_requests_open)}`)] : []),
    line(`buffered ${sizeText(status.buffered_bytes)}`),
    line(`memory ${sizeText(status.memory_bytes)}`),
  ];
  const title = line(
    piece(`framegate ${status.version}`, 'strong'),
    '  ',
    state,
    `  up ${durationText(status.uptime_ms)}  pid ${status.pid}`,
  );
  const all = rates?.get(ALL_ROUTES);
  const measured = line(
    `a second: ${rateText(all?.sessions)} new sessions, ${rateText(all?.messages)} messages, ${bytesText(all?.bytes)}`,
  );
  return [cutLine(title, width), ...flow(facts, width), ...(rates === null ? [] : [cutLine(measured, width)])];
}

/** The one that ends first, and how many there are. */
function certificateLines(certificates: readonly CertificateView[]): Line[] {
  const [first] = certificates;
  if (first === undefined) return [];
  const { name, not_after, expires_in_ms: leftMs } = first;
  const when = leftMs < 0 ? 'EXPIRED' : `ends in ${durationText(leftMs)},`;
  const tone = leftMs < 0 ? 'bad' : leftMs < ENDS_SOON_MS ? 'warn' : null;
  const others =
    certificates.length === 1 ? '' : `; ${groupedText(certificates.length)} certificates, the first to end`;
  return [line(`  certificate ${name} `, piece(when, tone), ` ${not_after}${others}`)];
}

function waitedLine({ name, tls_refused: isRefused, next_try: at }: WaitedCertificateView): Line {
  const what = isRefused ? 'none yet, TLS is refused' : 'none yet';
  const when = at === null ? ', it is being ordered' : `, next try ${at}; "acme.failed" in the log says why`;
  return line(`  certificate ${name}: `, piece(what, isRefused ? 'bad' : 'warn'), when);
}

/** None when nobody was refused. */
function refusalLines({ refusals }: StatusView, width: number): Line[] {
  const causes = Object.entries(refusals).map(([cause, count]) => `${cause} ${groupedText(count)}`);
  return causes.length === 0 ? [] : wrapped(`refused ${causes.join(', ')}`, width, 2).map((text) => line(text));
}
