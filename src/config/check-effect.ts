// Owns the checks for keys without effect: those for requests of one kind, with an upgrade or without, where none of
// that kind is served. Which those are the rows say. It must not read files.

import { isDeepStrictEqual } from 'node:util';
import type { CrossReport, Written } from './cross-report.ts';
import { method as methodRows } from './keys/auth.ts';
import { config as rows } from './keys/config.ts';
import { route as routeRows } from './keys/routes.ts';
import type { Keys, RequestKind, Row } from './keys/row.ts';
import { upstream as upstreamRows } from './keys/upstreams.ts';
import { completeLimits, completeTimeouts } from './merge.ts';
import type { PathSegments } from './problems.ts';
import { usualOf } from './schema.ts';
import { servedBy } from './served.ts';
import type { ParsedConfig } from './types.ts';

type ParsedRoute = ParsedConfig['routes'][number];
type Values = Readonly<Record<string, unknown>>;

const NO_SOCKETS = 'has no effect: this route takes no WebSockets';
const NO_HTTP = 'has no effect: this route has no http';
const NO_ROUTE: Readonly<Record<RequestKind, string>> = {
  sockets: 'has no effect: no route takes WebSockets',
  http: 'has no effect: no route has http',
};
const NO_UPSTREAM = 'has no effect: no route sends WebSockets to this upstream';
const NO_METHOD = 'has no effect: no route with WebSockets uses this method';

/** A block of keys, and what it holds. */
interface Block {
  readonly rows: Keys;
  readonly values: Values;
  readonly path: PathSegments;
  /** What is there when nothing is said, where the rows do not know it. */
  readonly usual?: Values;
}

export function checkEffect(config: ParsedConfig, written: Written, report: CrossReport): void {
  const keys = new GivenKeys(written);
  const tell = (kind: RequestKind, block: Block, message: string): void => {
    for (const path of keys.of(kind, block)) report('warning', path, message);
  };
  for (const [index, route] of config.routes.entries()) {
    if (written.isFaulty(['routes', index])) continue;
    const path = ['routes', index];
    // What defaults say is said for the others.
    if (route.upstream === undefined)
      tell('sockets', { rows: OWN_ROWS, values: route, path, usual: config.defaults }, NO_SOCKETS);
    if (route.http === undefined) tell('http', { rows: OVERRIDES, values: route, path }, NO_HTTP);
  }
  const isKnown = (route: ParsedRoute, index: number): boolean =>
    (route.upstream ?? route.http) !== undefined && !written.isFaulty(['routes', index]);
  if (config.routes.length === 0 || !config.routes.every(isKnown)) return;
  for (const kind of ['sockets', 'http'] as const) {
    if (config.routes.some((route) => route[LEADS[kind]] !== undefined)) continue;
    for (const block of wholeBlocks(config)) tell(kind, block, NO_ROUTE[kind]);
  }
  for (const block of upstreamsOf(config)) tell('sockets', block, NO_UPSTREAM);
  for (const block of methodsOf(config)) tell('sockets', block, NO_METHOD);
}

/** The key of a route that says where requests of a kind go. */
const LEADS = { sockets: 'upstream', http: 'http' } as const satisfies Record<RequestKind, string>;

const OVERRIDES = { limits: routeRows.limits, timeouts: routeRows.timeouts } as const satisfies Keys;

/** What a route has of a limit besides the one of all counts its sessions and handshakes. */
const OWN_ROWS: Keys = { ...routeRows, limits: { ...routeRows.limits, keys: ownRows(routeRows.limits.keys) } };

function ownRows(limits: Keys): Keys {
  const mark = (row: Row): Row => (row.scope === 'both' ? { ...row, serves: 'sockets' } : row);
  return Object.fromEntries(Object.entries(limits).map(([key, row]) => [key, mark(row)]));
}

/** The blocks that hold for all routes. Some of their keys follow others: what is compared is what is in force. */
function wholeBlocks(config: ParsedConfig): readonly Block[] {
  const { limits, timeouts, defaults, close_codes, record } = rows;
  // Who is refused before a route is found gets what defaults says, and its code.
  const { refuse_with: _, ...shared } = defaults.keys;
  const codes =
    config.defaults.refuse_with === 'close' ? [] : [{ rows: close_codes.keys, key: 'close_codes' } as const];
  const plain = [{ rows: shared, key: 'defaults' } as const, ...codes];
  return [
    {
      rows: limits.keys,
      values: completeLimits(config.limits),
      path: ['limits'],
      usual: completeLimits(usualOf(limits) as ParsedConfig['limits']), // of that row
    },
    {
      rows: timeouts.keys,
      values: completeTimeouts(config.timeouts),
      path: ['timeouts'],
      usual: completeTimeouts(usualOf(timeouts) as ParsedConfig['timeouts']), // of that row
    },
    { rows: { record }, values: config, path: [] },
    ...plain.map(({ rows: own, key }) => ({ rows: own, values: config[key], path: [key] })),
  ];
}

function upstreamsOf(config: ParsedConfig): readonly Block[] {
  const { sockets, http } = servedBy(config);
  return Object.entries(config.upstreams).flatMap(([name, values]) => {
    if (sockets.has(name) || !http.has(name)) return [];
    const { relax, ...others } = upstreamRows;
    const { active } = values.health;
    // Its checks may speak WebSocket all the same.
    const isChecked = active !== 'off' && active.type === 'websocket';
    return [{ rows: isChecked ? others : { ...others, relax }, values, path: ['upstreams', name] }];
  });
}

function methodsOf({ auth, routes, defaults }: ParsedConfig): readonly Block[] {
  const usedBy = (some: readonly ParsedRoute[]) => new Set(some.flatMap((route) => route.auth ?? defaults.auth));
  const used = usedBy(routes);
  const ofSockets = usedBy(routes.filter(({ upstream }) => upstream !== undefined));
  return Object.entries(auth).flatMap(([name, values]) =>
    used.has(name) && !ofSockets.has(name) ? [{ rows: methodRows, values, path: ['auth', name] }] : [],
  );
}

/** The keys of some kind that the text gives, with a value that is not what they have anyway: that says nothing. */
class GivenKeys {
  private readonly written: Written;
  /** What keys have that are not given. */
  private readonly usual = new Map<Row, unknown>();

  constructor(written: Written) {
    this.written = written;
  }

  *of(kind: RequestKind, { rows, values, path, usual = {} }: Block): Generator<PathSegments> {
    for (const [key, row] of Object.entries(rows)) {
      const at = [...path, key];
      if (!this.written.isGiven(at)) continue;
      const value = values[key];
      if (row.serves === kind) {
        const expected = Object.hasOwn(usual, key) ? usual[key] : this.usualOf(row);
        if (!isDeepStrictEqual(value, expected)) yield at;
      } else yield* this.inside(kind, row, value, at);
    }
  }

  private *inside(kind: RequestKind, row: Row, value: unknown, path: PathSegments): Generator<PathSegments> {
    if (row.kind === 'block' && isMap(value)) yield* this.of(kind, { rows: row.keys, values: value, path });
    if (row.kind !== 'list' || row.of.kind !== 'block' || !Array.isArray(value)) return;
    const { keys } = row.of;
    for (const [index, item] of value.entries())
      if (isMap(item)) yield* this.of(kind, { rows: keys, values: item, path: [...path, index] });
  }

  private usualOf(row: Row): unknown {
    if (!this.usual.has(row)) this.usual.set(row, usualOf(row));
    return this.usual.get(row);
  }
}

function isMap(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
