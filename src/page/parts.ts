// The parts of the proxy: routes, their upstreams with targets, listeners with certificates, workers. Each with its
// state, and with what may be done to it.

import type { PartsView, WorkerView } from '../admin/page-types.ts';
import type { CertificateView, RouteView, TargetView, TrafficView, UpstreamView } from '../admin/subject.ts';
import type { Actions } from './actions.ts';
import { button, byId, make, say, sayState, type Tone } from './dom.ts';
import { dateText, durationText, groupedText, NONE, percentText, sizeText, visible } from './format.ts';
import { type Column, held, Table } from './table.ts';

const DAY_MS = 86_400_000;
/** A certificate that ends sooner is told of. */
const ENDS_SOON_MS = 21 * DAY_MS;

interface ListenerCertificate extends CertificateView {
  readonly listener: string;
}

type ListenerView = PartsView['status']['listeners'][number];

export class PartViews {
  private readonly actions: Actions;
  private readonly routes: Table<RouteView>;
  private readonly upstreams = new Map<string, UpstreamPanel>();
  private readonly place = byId('upstream-list');
  private readonly workers = new Table(workerShape);
  private readonly listeners = new Table(listenerShape);
  private readonly certificates = new Table(certificateShape);

  constructor(actions: Actions) {
    this.actions = actions;
    this.routes = new Table({
      caption: 'Routes',
      unseen: true,
      columns: [
        ...routeColumns,
        doingColumn(
          ({ name }) => name,
          (route) => actions.drainRoute(route),
        ),
      ],
      key: ({ name }) => name,
      empty: 'No routes.',
    });
    byId('route-list').replaceChildren(this.routes.root);
    byId('workers').replaceChildren(this.workers.root);
    byId('listeners').replaceChildren(this.listeners.root);
    byId('certificate-list').replaceChildren(this.certificates.root);
  }

  show({ status, upstreams, routes_total: routes, targets_total: targets }: PartsView): void {
    this.routes.fill(status.routes);
    say(byId('routes-about'), cutText(status.routes.length, routes));
    const shown = upstreams.reduce((sum, one) => sum + one.targets.length, 0);
    say(byId('upstreams-about'), cutText(shown, targets, 'targets '));
    this.showUpstreams(upstreams);
    this.listeners.fill(status.listeners);
    const certificates = status.listeners.flatMap(({ name, certificates: own }) =>
      own.map((one) => ({ ...one, listener: name })),
    );
    this.certificates.fill(certificates.sort((a, b) => a.expires_in_ms - b.expires_in_ms));
  }

  showWorkers(workers: readonly WorkerView[]): void {
    this.workers.fill(workers);
  }

  private showUpstreams(upstreams: readonly UpstreamView[]): void {
    const names = new Set(upstreams.map(({ name }) => name));
    for (const [name, panel] of this.upstreams) {
      if (names.has(name)) continue;
      panel.root.remove();
      this.upstreams.delete(name);
    }
    for (const upstream of upstreams) {
      const known = this.upstreams.get(upstream.name);
      const panel = known ?? new UpstreamPanel(upstream.name, this.actions);
      panel.show(upstream);
      if (known !== undefined) continue;
      this.upstreams.set(upstream.name, panel);
      this.place.append(panel.root);
    }
  }
}

function cutText(shown: number, total: number, what = ''): string {
  return shown < total ? `the first ${groupedText(shown)} of ${groupedText(total)} ${what}are shown` : '';
}

class UpstreamPanel {
  readonly root: HTMLElement;
  private readonly facts = make('span', { class: 'quiet' });
  private readonly fault = make('p', { class: 'note' });
  private readonly targets: Table<TargetView>;

  constructor(name: string, actions: Actions) {
    this.targets = new Table({
      caption: `Targets of ${visible(name)}`,
      unseen: true,
      columns: [
        ...targetColumns,
        doingColumn(
          (target) => target.name,
          (target) => actions.drainTarget(name, target),
        ),
      ],
      key: (target) => target.name,
      empty: 'No targets.',
    });
    const heading = make('p', { class: 'caption' }, make('strong', {}, visible(name)), ' ', this.facts);
    this.root = make('div', { class: 'panel targets' }, heading, this.fault, this.targets.root);
  }

  show({ balance, handshakes, queued, discovery, targets }: UpstreamView): void {
    const up = targets.filter(({ why }) => why === null).length;
    const facts = [
      balance,
      `${groupedText(up)} of ${groupedText(targets.length)} targets up`,
      `${groupedText(handshakes)} handshakes${queued === 0 ? '' : `, ${groupedText(queued)} queued`}`,
      ...(discovery === null ? [] : [`found by ${discovery.kind}${agoText(discovery.age_ms)}`]),
    ];
    say(this.facts, visible(facts.join(' · ')));
    const failing = discovery?.failing_ms ?? null;
    this.fault.hidden = failing === null;
    say(
      this.fault,
      failing === null ? '' : visible(`Not found again for ${durationText(failing)}: ${discovery?.error}`),
    );
    this.targets.fill(targets);
  }
}

function agoText(ms: number | null): string {
  return ms === null ? ', no answer yet' : ` ${durationText(ms)} ago`;
}

/** The last column: what may be done to the row. */
function doingColumn<T extends { readonly state: string }>(
  nameOf: (row: T) => string,
  run: (row: T) => Promise<void>,
): Column<T> {
  // A row's button stays, while the row is told anew.
  const rows = new WeakMap<HTMLElement, T>();
  return {
    head: '',
    align: 'number',
    cell: (cell, row) => {
      const element: HTMLButtonElement = held(cell, () => button('', 'small', () => run(rows.get(element) ?? row)));
      rows.set(element, row);
      const text = row.state === 'draining' ? 'Undrain' : 'Drain';
      say(element, text);
      element.setAttribute('aria-label', `${text} ${visible(nameOf(row))}`);
    },
  };
}

const routeColumns: readonly Column<RouteView>[] = [
  { head: 'Route', align: 'name', cut: 'cut', text: ({ name }) => name },
  {
    head: 'State',
    cell: (cell, { state }) =>
      sayState(
        held(cell, () => make('span')),
        state === 'open' ? 'good' : 'warn',
        state,
      ),
  },
  { head: 'Goes to', drop: 3, text: goesTo },
  { head: 'Sessions', align: 'number', text: ({ sessions, sessions_limit: limit }) => ofLimit(sessions, limit) },
  { head: 'In all', align: 'number', drop: 2, text: ({ sessions_total: total }) => groupedText(total) },
  { head: 'Refused', align: 'number', drop: 2, text: ({ handshakes_refused: refused }) => groupedText(refused) },
  { head: 'Paused', align: 'number', drop: 2, text: ({ paused }) => groupedText(paused) },
  { head: 'From clients', align: 'number', drop: 1, text: ({ from_client: traffic }) => trafficText(traffic) },
  { head: 'From backends', align: 'number', drop: 1, text: ({ from_backend: traffic }) => trafficText(traffic) },
  {
    head: 'Plain requests',
    align: 'number',
    drop: 1,
    text: ({ http, http_requests: count }) => (http === null ? NONE : groupedText(count)),
  },
];

function goesTo({ upstream, http }: RouteView): string {
  const sockets = upstream === null ? [] : [upstream];
  const plain = http === null ? [] : [`${http} (plain HTTP)`];
  return [...sockets, ...plain].join(', ');
}

export function trafficText({ messages, bytes }: TrafficView): string {
  return `${groupedText(messages)} / ${sizeText(bytes)}`;
}

function ofLimit(count: number, limit: number | null): string {
  return limit === null ? groupedText(count) : `${groupedText(count)} of ${groupedText(limit)}`;
}

const TARGET_TONES: Readonly<Record<TargetView['state'], Tone>> = {
  up: 'good',
  failing: 'warn',
  draining: 'warn',
  ejected: 'bad',
  down: 'bad',
  gone: 'idle',
};

const targetColumns: readonly Column<TargetView>[] = [
  {
    head: 'Target',
    align: 'name',
    cell: (cell, { name, url }) => {
      const text = visible(name);
      say(
        held(cell, () => make('span')),
        text,
      );
      if (cell.title !== url) cell.title = visible(url);
    },
  },
  {
    head: 'State',
    cell: (cell, target) =>
      sayState(
        held(cell, () => make('span')),
        TARGET_TONES[target.state],
        stateOf(target),
      ),
  },
  { head: 'Sessions', align: 'number', text: ({ sessions, sessions_limit: limit }) => ofLimit(sessions, limit) },
  {
    head: 'Share',
    align: 'number',
    drop: 3,
    text: ({ share, backup }) => `${percentText(share)}${backup ? ' backup' : ''}`,
  },
  { head: 'In all', align: 'number', drop: 2, text: ({ sessions_total: total }) => groupedText(total) },
  { head: 'Dials failed', align: 'number', drop: 2, text: ({ dials_failed: failed }) => groupedText(failed) },
  { head: 'Connect p50 / p99', align: 'number', drop: 1, text: ({ connect }) => latencyText(connect) },
  { head: 'Upgrade p50 / p99', align: 'number', drop: 1, text: ({ upgrade }) => latencyText(upgrade) },
  { head: 'Last check', drop: 1, text: checkText },
  { head: 'Ejected', align: 'number', drop: 2, text: ({ ejections }) => groupedText(ejections) },
];

/** `down by check for 5.2 s`. */
function stateOf({ state, why, state_ms: since, failing_ms: failing }: TargetView): string {
  const ms = state === 'failing' ? failing : since;
  const by = why === null || why === 'admin' ? '' : ` by ${why}`;
  return `${state}${by}${ms === null || state === 'up' ? '' : ` for ${durationText(ms)}`}`;
}

function latencyText(latency: TargetView['connect']): string {
  return latency === null ? NONE : `${durationText(latency.p50_ms)} / ${durationText(latency.p99_ms)}`;
}

function checkText({ check }: TargetView): string {
  if (check === null) return NONE;
  return `${check.result === 'status' ? `status ${check.cause}` : check.result}, ${durationText(check.age_ms)} ago`;
}

/** One that does not answer is worse off than one that leaves. */
function workerTone(state: WorkerView['state']): Tone {
  if (state === 'ready') return 'good';
  return state === 'silent' ? 'bad' : 'warn';
}

const workerShape = {
  caption: 'Workers',
  columns: [
    { head: 'Process', text: ({ worker, pid }) => (worker === undefined ? `${pid}` : `worker ${worker}, ${pid}`) },
    {
      head: 'State',
      cell: (cell, { state }) =>
        sayState(
          held(cell, () => make('span')),
          workerTone(state),
          state,
        ),
    },
    { head: 'Sessions', align: 'number', text: ({ sessions }) => groupedText(sessions) },
    { head: 'Memory', align: 'number', text: ({ memory_bytes: bytes }) => sizeText(bytes) },
    {
      head: 'Loop lag',
      align: 'number',
      drop: 3,
      text: ({ loop_lag_ms: ms }) => (ms === null ? NONE : durationText(ms)),
    },
    {
      head: 'Of a core',
      align: 'number',
      text: ({ cpu_share: share }) => (share === null ? NONE : percentText(share)),
    },
  ] satisfies Column<WorkerView>[],
  key: ({ pid }: WorkerView) => String(pid),
  empty: 'No workers.',
};

const listenerShape = {
  caption: 'Listeners',
  columns: [
    { head: 'Listener', align: 'name', text: ({ name }) => name },
    { head: 'Address', align: 'mono', text: ({ address }) => address },
    { head: 'Connections', align: 'number', text: ({ connections }) => groupedText(connections) },
    { head: 'Waits for', drop: 3, text: ({ waiting }) => waiting.map(waitedText).join('; ') || NONE },
  ] satisfies Column<ListenerView>[],
  key: ({ name }: ListenerView) => name,
  empty: 'No listeners.',
};

const certificateShape = {
  caption: 'Certificates, the first to end first',
  columns: [
    { head: 'Certificate', align: 'name', cut: 'cut', text: ({ name }) => name },
    { head: 'Listener', drop: 3, text: ({ listener }) => listener },
    {
      head: 'Ends',
      cell: (cell, { expires_in_ms: left }) =>
        sayState(
          held(cell, () => make('span')),
          left <= 0 ? 'bad' : left < ENDS_SOON_MS ? 'warn' : 'good',
          endsText(left),
        ),
    },
    { head: 'On', align: 'number', drop: 3, text: ({ not_after: at }) => dateText(Date.parse(at)) },
  ] satisfies Column<ListenerCertificate>[],
  key: ({ listener, name, not_after: at }: ListenerCertificate) => `${listener} ${name} ${at}`,
  empty: 'No listener has TLS.',
};

function waitedText({ name, tls_refused: isRefused, next_try: at }: ListenerView['waiting'][number]): string {
  const when = at === null ? 'is being ordered' : `next try ${dateText(Date.parse(at))}`;
  return `certificate ${name}${isRefused ? ', TLS is refused' : ''}, ${when}`;
}

function endsText(leftMs: number): string {
  return leftMs <= 0 ? `ended ${durationText(-leftMs)} ago` : `in ${durationText(leftMs)}`;
}
