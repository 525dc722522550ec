// Owns the loaded config as text again: the effective config as YAML. It must not print a secret.

import { isDeepStrictEqual } from 'node:util';
import { stringify } from 'yaml';
import { inPlaces } from '../protocol/tls/certificate-order.ts';
import { writtenList } from './address-lists.ts';
import { method } from './keys/auth.ts';
import { limits } from './keys/limits.ts';
import { listener } from './keys/listeners.ts';
import { admin, drain, log, reload } from './keys/process.ts';
import { route, shared } from './keys/routes.ts';
import type { Item, Keys, Row } from './keys/row.ts';
import { timeouts } from './keys/timeouts.ts';
import { upstream } from './keys/upstreams.ts';
import { isScalar, printScalar } from './kinds.ts';
import { MAP_KEY } from './names.ts';
import { originOf } from './origin.ts';
import { type PathSegments, pathText } from './problems.ts';
import { writtenMethod } from './render-auth.ts';
import { SECRET } from './secret-file.ts';
import type {
  AcmeCertificate,
  AdminConfig,
  BalanceConfig,
  Config,
  DiscoverConfig,
  ListenerConfig,
  ListenerTls,
  RouteConfig,
  SharedKeys,
  UpstreamConfig,
} from './types.ts';

type Plain = Record<string, unknown>;

const OFF = Number.POSITIVE_INFINITY;

/** Limits that hold for the process and those that a route only adds its own to, then those that a route overrides. */
const SCOPED: Keys = Object.fromEntries(Object.entries<Row>(limits).filter(([, { scope }]) => scope !== undefined));
const OVERRIDDEN: Keys = Object.fromEntries(Object.entries<Row>(limits).filter(([, { scope }]) => scope === undefined));

/** The effective config as YAML that loads to the same Config; secrets are `***`. */
export function renderConfig(config: Config): string {
  return [...configPieces(config)].join('');
}

/** The same text in pieces, each as long as one block. */
export function* configPieces(config: Config): Generator<string> {
  const { secrets } = originOf(config);
  const upstreams = Object.values(config.upstreams).filter(({ name }) => MAP_KEY.test(name));
  yield yamlText(
    masked({ listeners: config.listeners.map((one, index) => plainListener(one, index, config)) }, secrets, ''),
  );
  yield yamlText({
    trusted_proxies: writtenList(config.trusted_proxies),
    client_ip_from: config.client_ip_from,
    send_forwarded: config.send_forwarded ? 'on' : 'off',
  });
  yield yamlText(masked({ defaults: printed(shared, config.defaults, listsOf(config.defaults)) }, secrets, ''));
  const whole = { limits: printed(OVERRIDDEN, config.limits), timeouts: printed(timeouts, config.timeouts) };
  yield* inParts('auth', {}, Object.values(config.auth), (one) => {
    const path = `auth.${one.name}`;
    return { [one.name]: masked(printed(method, writtenMethod(one, config)), secrets, path) };
  });
  yield* inParts('routes', [], config.routes.entries(), ([index, one]) => [
    masked(plainRoute(one, config, whole), secrets, `routes[${index}]`),
  ]);
  yield* inParts('upstreams', {}, upstreams, (one) => {
    const path = `upstreams.${one.name}`;
    return { [one.name]: masked(plainUpstream(one, config), secrets, path) };
  });
  const rest: Plain = {
    limits: { ...printed(SCOPED, config.limits), ...whole.limits },
    timeouts: whole.timeouts,
    close_codes: config.close_codes,
    record: config.record,
    drain: printed(drain, config.drain),
    reload: printed(reload, config.reload),
    revocations: { dir: config.revocations.dir_text ?? undefined },
    ...(config.admin === null ? {} : { admin: plainAdmin(config.admin) }),
    log: printed(log, config.log),
  };
  yield yamlText(masked(rest, secrets, ''));
}

/** A long block, one entry at a time: the head of the block stands before the first only. */
function* inParts<T>(key: string, empty: unknown, items: Iterable<T>, part: (item: T) => unknown): Generator<string> {
  const head = `${key}:\n`;
  let isFirst = true;
  for (const item of items) {
    const text = yamlText({ [key]: part(item) });
    yield isFirst ? text : text.slice(head.length);
    isFirst = false;
  }
  if (isFirst) yield yamlText({ [key]: empty });
}

function yamlText(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
}

function plainListener({ address, address_text, tls, ...rest }: ListenerConfig, index: number, config: Config): Plain {
  const mode = address.kind === 'unix' && address.mode !== null ? { mode: address.mode } : {};
  const values = { ...rest, ...mode, address: address_text };
  const asIs = { trusted_proxies: writtenList(rest.trusted_proxies) };
  if (tls === null) return printed(listener, values, asIs);
  return printed(listener, { ...values, tls: plainListenerTls(tls, ['listeners', index, 'tls'], config) }, asIs);
}

function plainListenerTls(tls: ListenerTls, path: PathSegments, config: Config): Plain {
  const certificates = inPlaces(tls.certificates, tls.acme).map((one, at) => {
    const place = [...path, 'certificates', at];
    if ('position' in one) return { acme: plainAcme(one, [...place, 'acme', 'tls'], config) };
    return { passphrase: one.passphrase, ...fileNames(one, ['cert', 'key'], place, config) };
  });
  const { client_crl = null, ...ca } = fileNames(tls, ['client_ca', 'client_crl'], path, config);
  return { ...tls, ...ca, client_crl, certificates, ciphers: tls.ciphers ?? undefined };
}

function plainAcme(one: AcmeCertificate, path: PathSegments, config: Config): Plain {
  const { email, dir_text, eab, tls, ...rest } = one;
  return {
    ...rest,
    agree: true,
    email: email ?? undefined,
    dir: dir_text ?? undefined,
    eab: eab ?? undefined,
    tls: tls === null ? undefined : fileNames(tls, ['ca'], path, config),
  };
}

function plainAdmin({ address_text, ...rest }: AdminConfig): Plain {
  return printed(admin, { ...rest, address: address_text });
}

interface Whole {
  readonly limits: Plain;
  readonly timeouts: Plain;
}

function plainRoute(one: RouteConfig, config: Config, whole: Whole): Plain {
  const { match } = one;
  const values = {
    ...one,
    match: { ...match, hosts: unlessEmpty(match.hosts), listeners: unlessEmpty(match.listeners) },
    upstream: one.sockets ? upstreamText(one.upstream, config) : undefined,
    http: one.http === null ? undefined : upstreamText(one.http, config),
    rewrite: one.rewrite ?? undefined,
  };
  return printed(route, values, {
    limits: { ...difference(printed(OVERRIDDEN, one.limits), whole.limits), ...plainOwn(one) },
    timeouts: difference(printed(timeouts, one.timeouts), whole.timeouts),
    close_codes: difference(one.close_codes, config.close_codes),
    record: isDeepStrictEqual(one.record, config.record) ? undefined : one.record,
    ...listsOf(one),
  });
}

function listsOf({ allow, deny }: SharedKeys): Plain {
  return { allow: allow === 'any' ? allow : writtenList(allow), deny: writtenList(deny) };
}

/** The limits that this route has besides the global ones. */
function plainOwn(one: RouteConfig): Plain {
  const plain: Plain = {};
  for (const [key, row] of Object.entries(SCOPED)) {
    const own = row.scope === 'both' ? valueAt(one, `own_${key}`) : OFF;
    if (own !== OFF) plain[key] = printedValue(row, own);
  }
  return plain;
}

function unlessEmpty(list: readonly string[]): readonly string[] | undefined {
  return list.length > 0 ? list : undefined;
}

/** The name of an upstream, or the URL that stands for one without a block of its own. */
function upstreamText(name: string, config: Config): string {
  return MAP_KEY.test(name) ? name : (config.upstreams[name]?.targets[0]?.url ?? name);
}

function plainUpstream(one: UpstreamConfig, config: Config): Plain {
  const host = typeof one.host === 'string' ? one.host : one.host.literal;
  const tls = one.tls === null ? undefined : plainTls(one.name, one.tls, config);
  return printed(upstream, {
    ...one,
    host,
    tls,
    balance: balanceBlock(one.balance),
    discover: one.discover === null ? undefined : discoverBlock(one.discover),
  });
}

function balanceBlock(balance: BalanceConfig): unknown {
  if (balance.kind === 'sticky') return { sticky: balance };
  return balance.kind === 'hash' ? { hash: balance.key } : balance.kind;
}

function discoverBlock(discover: DiscoverConfig): Plain {
  return discover.kind === 'dns' ? { dns: discover } : { file: { path: discover.path_text } };
}

function plainTls(name: string, tls: NonNullable<UpstreamConfig['tls']>, config: Config): Plain {
  const files = fileNames(tls, ['ca', 'cert', 'key'], ['upstreams', name, 'tls'], config);
  return { ...tls, server_name: tls.server_name ?? undefined, ...files };
}

/** As they were written; a PEM text that came in their place is not shown. */
function fileNames<K extends string>(
  block: { readonly [P in K]: unknown },
  keys: readonly K[],
  path: PathSegments,
  config: Config,
): Plain {
  const { files } = originOf(config);
  const name = (key: K) => (block[key] === null ? undefined : (files.get(pathText([...path, key])) ?? SECRET));
  return Object.fromEntries(keys.map((key) => [key, name(key)]));
}

/** A block as it would be written, in the order of its rows; `asIs` is printed already. */
function printed(keys: Keys, values: object, asIs: Plain = {}): Plain {
  const plain: Plain = {};
  for (const [key, row] of Object.entries(keys)) {
    const value = valueAt(values, key);
    if (Object.hasOwn(asIs, key)) plain[key] = asIs[key];
    // Of a rate that is off: nothing that could be written.
    else if (row.follows?.rule === 'burst' && value === OFF) continue;
    else if (value !== undefined) plain[key] = printedValue(row, value);
  }
  return plain;
}

function printedValue(row: Row | Item, value: unknown): unknown {
  // Under each row stands what its schema gave.
  if (isScalar(row)) return printScalar(row, value as never);
  if (row.kind === 'list')
    return Array.isArray(value) ? value.map((item: unknown) => printedValue(row.of, item)) : value;
  return row.kind === 'block' && isPlain(value) ? printed(row.keys, value) : value;
}

function valueAt(block: object, key: string): unknown {
  return Object.hasOwn(block, key) ? Reflect.get(block, key) : undefined;
}

/** The keys of `own` that say something else than `whole`. */
function difference(own: Plain, whole: Plain): Plain {
  const kept: Plain = {};
  for (const [key, value] of Object.entries(own)) {
    const other = whole[key];
    if (isPlain(value) && isPlain(other)) {
      const inner = difference(value, other);
      if (Object.keys(inner).length > 0) kept[key] = inner;
    } else if (value !== other) kept[key] = value;
  }
  return kept;
}

function isPlain(value: unknown): value is Plain {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Secrets replaced, and what would be taken for `${NAME}` on the next load escaped. */
function masked(value: unknown, secrets: ReadonlySet<string>, path: string): unknown {
  if (secrets.has(path)) return SECRET;
  if (typeof value === 'string') return value.replaceAll('${', () => '$${');
  if (Array.isArray(value)) return value.map((item: unknown, index) => masked(item, secrets, `${path}[${index}]`));
  if (!isPlain(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      const at = pathText([key]);
      return [key, masked(item, secrets, path === '' || at.startsWith('[') ? path + at : `${path}.${at}`)];
    }),
  );
}
