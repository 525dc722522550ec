// Owns config as text again: the effective config as YAML, the JSON Schema, and the reference table.
// It must not print a secret.

import { stringify } from 'yaml';
import { originOf, SECRET } from './build.ts';
import { pathText } from './problems.ts';
import { DEFAULT_NOTE, MAP_KEY, TYPE_NOTE } from './scalars.ts';
import { configSchema } from './schema.ts';
import { describeKeys, type KeyDescription } from './schema-walk.ts';
import { countOrShareText } from './shares.ts';
import { isPemText } from './tls-files.ts';
import type {
  AdminConfig,
  Config,
  DirectionLimits,
  Limits,
  ListenerConfig,
  RouteConfig,
  UpstreamConfig,
} from './types.ts';
import { formatDuration, formatSize } from './units.ts';
import { z } from './zod.ts';

export { describeKeys, type KeyDescription };

type Plain = Record<string, unknown>;

const OFF = Number.POSITIVE_INFINITY;
/** Blocks of a route that repeat the keys of top-level blocks. */
const OVERRIDES = /^routes\[\]\.(limits|timeouts|close_codes)\./;

/** The effective config as YAML that loads to the same Config; secrets are `***`. */
export function renderConfig(config: Config): string {
  return [...configPieces(config)].join('');
}

/** The same text in pieces, each as long as one block. */
export function* configPieces(config: Config): Generator<string> {
  const { secrets } = originOf(config);
  const upstreams = Object.values(config.upstreams).filter(({ name }) => MAP_KEY.test(name));
  yield yamlText(masked({ listeners: config.listeners.map(plainListener) }, secrets, ''));
  yield yamlText(masked({ trusted_proxies: config.trusted_proxies }, secrets, ''));
  yield* inParts('routes', [], config.routes.entries(), ([index, route]) => [
    masked(plainRoute(route, config), secrets, `routes[${index}]`),
  ]);
  yield* inParts('upstreams', {}, upstreams, (upstream) => {
    const path = `upstreams.${upstream.name}`;
    return { [upstream.name]: masked(plainUpstream(upstream, config), secrets, path) };
  });
  const rest: Plain = {
    limits: { ...plainGlobalLimits(config.limits), ...plainLimits(config.limits) },
    timeouts: plainTimes(config.timeouts),
    close_codes: config.close_codes,
    drain: plainTimes(config.drain),
    reload: { max_ended: shareText(config.reload.max_ended) },
    ...(config.admin === null ? {} : { admin: plainAdmin(config.admin) }),
    log: { ...config.log, lines_per_second: countText(config.log.lines_per_second) },
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

/** JSON Schema (draft 2020-12) of the config file, for editors. */
export function jsonSchema(): Plain {
  const schema = z.toJSONSchema(configSchema, {
    io: 'input',
    override: ({ jsonSchema: part }) => {
      delete part[TYPE_NOTE];
      delete part[DEFAULT_NOTE];
    },
  });
  return { ...schema, title: 'framegate config' };
}

/** The reference as a Markdown table: key, default, values, meaning. Keys that routes only repeat are left out. */
export function referenceTable(): string {
  const rows = describeKeys().filter(({ path }) => !OVERRIDES.test(path));
  return ['| key | default | values | meaning |', '|---|---|---|---|', ...rows.map(referenceRow), ''].join('\n');
}

/** One row of the table, as a README has to hold it. */
export function referenceRow(key: KeyDescription): string {
  const fallback = key.default.startsWith('= ') || key.default === 'required' ? key.default : `\`${key.default}\``;
  return `| \`${key.path}\` | ${cell(fallback)} | ${cell(key.type)} | ${cell(key.description)} |`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

function plainListener(listener: ListenerConfig): Plain {
  const { address } = listener;
  const mode = address.kind === 'unix' && address.mode !== null ? { mode: octal(address.mode) } : {};
  return {
    name: listener.name,
    address: listener.address_text,
    ...mode,
    backlog: listener.backlog,
    health_path: listener.health_path ?? 'off',
    paths: listener.paths,
  };
}

function plainAdmin(admin: AdminConfig): Plain {
  return {
    address: admin.address_text,
    token: admin.token === null ? 'off' : SECRET,
    hosts: admin.hosts,
    public: admin.public,
  };
}

function octal(mode: number): string {
  return `0${mode.toString(8).padStart(3, '0')}`;
}

function plainRoute(route: RouteConfig, config: Config): Plain {
  const { match } = route;
  const own = {
    ...difference(plainLimits(route.limits), plainLimits(config.limits)),
    ...(route.own_max_sessions === OFF ? {} : { max_sessions: route.own_max_sessions }),
    ...(route.own_max_sessions_per_ip === OFF ? {} : { max_sessions_per_ip: route.own_max_sessions_per_ip }),
    ...(route.own_handshakes_per_second_per_ip === OFF
      ? {}
      : { handshakes_per_second_per_ip: route.own_handshakes_per_second_per_ip }),
  };
  return {
    name: route.name,
    match: {
      ...(match.hosts.length > 0 ? { hosts: match.hosts } : {}),
      path: match.path,
      encoded_slashes: match.encoded_slashes,
      ...(match.listeners.length > 0 ? { listeners: match.listeners } : {}),
    },
    upstream: upstreamText(route, config),
    ...(route.rewrite === null ? {} : { rewrite: route.rewrite }),
    limits: own,
    timeouts: difference(plainTimes(route.timeouts), plainTimes(config.timeouts)),
    close_codes: difference(route.close_codes, config.close_codes),
    compression: route.compression,
    subprotocols: route.subprotocols,
    relax: route.relax,
  };
}

/** The name of an upstream, or the URL that stands for one without a block of its own. */
function upstreamText({ upstream }: RouteConfig, config: Config): string {
  return MAP_KEY.test(upstream) ? upstream : (config.upstreams[upstream]?.targets[0]?.url ?? upstream);
}

function plainUpstream(upstream: UpstreamConfig, config: Config): Plain {
  const tls = upstream.tls === null ? {} : { tls: plainTls(upstream.name, upstream.tls, config) };
  return {
    targets: upstream.targets.map((target) => ({
      name: target.name,
      url: target.url,
      weight: target.weight,
      max_sessions: countText(target.max_sessions),
    })),
    host: typeof upstream.host === 'string' ? upstream.host : upstream.host.literal,
    balance: upstream.balance,
    max_handshakes: countOrShareText(upstream.max_handshakes),
    retries: upstream.retries,
    local_addresses: upstream.local_addresses,
    max_head_size: formatSize(upstream.max_head_size),
    relax: upstream.relax,
    ...tls,
  };
}

/** File names as they were written; a PEM text that came in their place is not shown. */
function plainTls(name: string, tls: NonNullable<UpstreamConfig['tls']>, config: Config): Plain {
  const { files } = originOf(config);
  const plain: Plain = {};
  for (const key of ['ca', 'cert', 'key'] as const) {
    const text = files.get(pathText(['upstreams', name, 'tls', key]));
    if (tls[key] !== null) plain[key] = text === undefined || isPemText(text) ? SECRET : text;
  }
  if (tls.server_name !== null) plain.server_name = tls.server_name;
  return { ...plain, verify: tls.verify };
}

/** The limits that hold for the process, and those that a route only adds its own to. */
function plainGlobalLimits(limits: Limits): Plain {
  return {
    max_head_size: formatSize(limits.max_head_size),
    max_target_size: formatSize(limits.max_target_size),
    max_header_fields: limits.max_header_fields,
    max_sessions: countText(limits.max_sessions),
    max_handshakes: countText(limits.max_handshakes),
    max_waiting_handshakes: countText(limits.max_waiting_handshakes),
    handshakes_per_second: countText(limits.handshakes_per_second),
    ...(limits.handshake_burst === OFF ? {} : { handshake_burst: limits.handshake_burst }),
    max_sessions_per_ip: countText(limits.max_sessions_per_ip),
    handshakes_per_second_per_ip: countText(limits.handshakes_per_second_per_ip),
    max_buffered_total: formatSize(limits.max_buffered_total),
  };
}

/** The limits that a route may override. */
function plainLimits(limits: Limits): Plain {
  return {
    max_early_bytes: formatSize(limits.max_early_bytes),
    max_buffered: formatSize(limits.max_buffered),
    from_client: plainDirection(limits.from_client),
    from_backend: plainDirection(limits.from_backend),
  };
}

function plainDirection(limits: DirectionLimits): Plain {
  return {
    max_message_size: formatSize(limits.max_message_size),
    max_frame_size: formatSize(limits.max_frame_size),
    max_fragments: countText(limits.max_fragments),
    messages_per_second: countText(limits.messages_per_second),
    ...(limits.message_burst === OFF ? {} : { message_burst: limits.message_burst }),
    bytes_per_second: formatSize(limits.bytes_per_second),
    ...(limits.byte_burst === OFF ? {} : { byte_burst: formatSize(limits.byte_burst) }),
    control_frames_per_second: countText(limits.control_frames_per_second),
    ...(limits.control_frame_burst === OFF ? {} : { control_frame_burst: limits.control_frame_burst }),
    on_rate_exceeded: limits.on_rate_exceeded,
    validate_utf8: limits.validate_utf8 ? 'on' : 'off',
  };
}

/** A block of durations. */
function plainTimes(block: Config['timeouts'] | Config['drain']): Plain {
  return Object.fromEntries(Object.entries(block).map(([key, ms]) => [key, formatDuration(ms)]));
}

function countText(count: number): number | string {
  return count === OFF ? 'off' : count;
}

function shareText(share: number): string {
  return share === OFF ? 'off' : `${Math.round(share * 100)}%`;
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
