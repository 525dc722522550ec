// Owns the types of a config: as it is written, as the schema reads it, and as it is loaded. They grow from the rows in
// `keys/`; it holds types only, and none of the schema's, so that every layer may name them.

import type { RouteCheck, UpstreamCheck } from '../protocol/relax.ts';
import type { acme } from './keys/acme.ts';
import type { config } from './keys/config.ts';
import type { directions } from './keys/directions.ts';
import type { limits } from './keys/limits.ts';
import type { listenerTls } from './keys/listener-tls.ts';
import type { listener } from './keys/listeners.ts';
import type { admin, drain, log } from './keys/process.ts';
import type { route, shared } from './keys/routes.ts';
import type { timeouts } from './keys/timeouts.ts';
import type { upstream } from './keys/upstreams.ts';
import type {
  Block,
  Endpoint,
  HashKey,
  InputBlock,
  ListenAddress,
  Merged,
  ServiceUrl,
  TextValues,
} from './row-types.ts';

export type { Endpoint, HashKey, ListenAddress, ServiceUrl } from './row-types.ts';

/** A config in the form of the file, for `createProxy`. */
export type ConfigInput = InputBlock<typeof config>;
/** What the schema makes of it: values parsed, defaults in place, nothing merged yet. */
export type ParsedConfig = Block<typeof config>;

export interface ListenerConfig
  extends Omit<Block<typeof listener>, 'name' | 'address' | 'mode' | 'tls' | 'trusted_proxies' | 'client_ip_from'> {
  readonly name: string;
  readonly address: ListenAddress;
  readonly address_text: string;
  /** Null: plain. */
  readonly tls: ListenerTls | null;
  readonly trusted_proxies: AddressList;
  readonly client_ip_from: string;
}

type ParsedListenerTls = Block<typeof listenerTls>;

/** All of it has been tried: a secure context can be made of each certificate with the rest. */
export interface ListenerTls
  extends Omit<ParsedListenerTls, 'certificates' | 'ciphers' | 'client_ca' | 'client_crl' | 'tickets'> {
  /** From files, in their order. */
  readonly certificates: readonly ListenerCertificate[];
  /** Those that framegate gets by itself. There is at least one of both together. */
  readonly acme: readonly AcmeCertificate[];
  /** Null: Node's. Else those of TLSv1.3 too: without them Node would not speak it. */
  readonly ciphers: string | null;
  /** PEM of all authorities. */
  readonly client_ca: Buffer | null;
  /** One list in each: of several in one PEM text Node takes the first and drops the others. */
  readonly client_crl: readonly Buffer[] | null;
  readonly tickets: TextValues['tickets'];
}

export interface ListenerCertificate {
  /** PEM of the certificate and of those between it and its authority. */
  readonly cert: Buffer;
  /** PEM. */
  readonly key: Buffer;
  readonly passphrase: string | null;
  /** Lower-case, without a trailing dot; `*.x` stands for one label before `.x`. Can be none. */
  readonly names: readonly string[];
  /** Of the certificate itself, in milliseconds since 1970. It is valid at both. */
  readonly not_before: number;
  readonly not_after: number;
  /** For people and metrics: the first name, or what else it calls itself. Two can have the same. */
  readonly name: string;
}

/** A certificate that an ACME authority is asked for. */
export interface AcmeCertificate
  extends Omit<Block<typeof acme>, 'email' | 'tls' | 'dir' | 'eab' | 'agree' | 'directory'> {
  /** Its place in the list as it was written, files among them. */
  readonly position: number;
  /** What it is called in `dir`: of the directory, the domains and the kind of key. Equal ones are one certificate. */
  readonly id: string;
  readonly email: string | null;
  readonly directory: ServiceUrl;
  /** Null: the system's authorities. */
  readonly tls: TlsConfig | null;
  /** Null: `acme` in STATE_DIRECTORY. */
  readonly dir: string | null;
  readonly dir_text: string | null;
  readonly eab: { readonly kid: string; readonly hmac: string } | null;
}

/** Addresses, as they were written or as their file had them. Equal lists have equal digests. */
export interface AddressList {
  /** Its path as it was written; null for a list in the config. */
  readonly file: string | null;
  /** Entries that are no blocks: `unix`. */
  readonly words: readonly string[];
  /** Packed: `protocol/addresses/packed-blocks` takes them apart. */
  readonly blocks: Uint8Array;
  readonly digest: string;
}

/** Limits of one direction. Sizes in bytes; Infinity is `off`, also for the burst of a rate that is off. */
export type DirectionLimits = Merged<(typeof directions)['from_client']['keys']>;

/** A key that a route has besides the global one is always the global one's, also in a route's merged limits. */
export type Limits = Merged<typeof limits>;

/** What a route's limits say of the keys that hold on it alone, besides the global ones: `own_max_sessions`. */
export type OwnLimits = {
  readonly [K in keyof typeof limits as (typeof limits)[K] extends { readonly scope: 'both' }
    ? `own_${K}`
    : never]: number;
};

/** Milliseconds; Infinity is `off`. */
export type Timeouts = Merged<typeof timeouts>;

/** Close codes sent to the client instead of the standard ones, by cause; only what the config sets. No prototype. */
export type CloseCodes = Readonly<Record<string, number>>;

/** Of which frames the headers are remembered. */
type RecordConfig = ParsedConfig['record'];

type ParsedRoute = Block<typeof route>;

/** What a route says, or `defaults` for it, as the schema reads it. */
export type ParsedShared = Block<typeof shared>;

export interface SharedKeys extends Omit<ParsedShared, 'allow' | 'deny'> {
  readonly allow: 'any' | AddressList;
  readonly deny: AddressList;
}

/** Fields by their names, with placeholders in their values, and names of fields. */
export type FieldsConfig = NonNullable<SharedKeys['headers']['request']>;

export interface HeadersConfig {
  readonly request: FieldsConfig;
  readonly response: FieldsConfig;
}

export interface RouteConfig
  extends OwnLimits,
    Omit<SharedKeys, 'headers'>,
    Omit<
      ParsedRoute,
      | 'name'
      | 'match'
      | 'upstream'
      | 'http'
      | 'rewrite'
      | 'limits'
      | 'timeouts'
      | 'close_codes'
      | 'record'
      | keyof SharedKeys
    > {
  readonly name: string;
  /** The name of where WebSockets go; of a route that takes none, that of `http`. */
  readonly upstream: string;
  /** It takes WebSockets. */
  readonly sockets: boolean;
  /** The name of where other requests go; null: nowhere. */
  readonly http: string | null;
  /** Empty `hosts` match any Host, empty `listeners` any listener. Hosts are lower-case, without a trailing dot. */
  readonly match: Omit<ParsedRoute['match'], 'hosts' | 'path' | 'listeners'> & {
    readonly hosts: readonly string[];
    readonly path: string;
    readonly listeners: readonly string[];
  };
  readonly rewrite: string | null;
  readonly limits: Limits;
  readonly timeouts: Timeouts;
  readonly close_codes: CloseCodes;
  readonly record: RecordConfig;
  readonly headers: HeadersConfig;
  readonly relax: readonly RouteCheck[];
}

type ParsedMethods = { readonly [K in keyof ParsedMethod]-?: NonNullable<ParsedMethod[K]> };
type ParsedMethod = ParsedConfig['auth'][string];

/** One method of `auth`. */
export type AuthConfig =
  | ApiKeyAuth
  | BasicAuth
  | JwtAuth
  | IntrospectionAuth
  | HmacAuth
  | CertificateAuth
  | ForwardAuth;

export type AuthKind = AuthConfig['kind'];

interface Method<K extends string> {
  readonly kind: K;
  readonly name: string;
}

type Items<T> = T extends readonly (infer I)[] ? I : never;
export type ApiKeyEntry = Items<ParsedMethods['api_key']['keys']>;
export type UserEntry = Items<ParsedMethods['basic']['users']>;
export type QuotaConfig = ApiKeyEntry['quota'];

export interface ApiKeyAuth extends Method<'api_key'>, Omit<ParsedMethods['api_key'], 'keys'> {
  readonly keys: readonly ApiKeyEntry[];
}

export interface BasicAuth extends Method<'basic'>, Omit<ParsedMethods['basic'], 'users' | 'realm'> {
  readonly realm: string;
  readonly users: readonly UserEntry[];
}

export interface JwtAuth extends Method<'jwt'>, Omit<ParsedMethods['jwt'], 'secret' | 'key' | 'jwks'> {
  readonly key: JwtKeyConfig;
}

/** What signatures are checked with. */
export type JwtKeyConfig =
  | { readonly kind: 'secret'; readonly secret: string }
  | { readonly kind: 'pem'; readonly pem: string }
  /** As the file had it: JSON. */
  | { readonly kind: 'jwks_file'; readonly text: string; readonly file: string }
  | JwksUrl;

interface JwksUrl extends Omit<NonNullable<ParsedMethods['jwt']['jwks']>, 'file' | 'url' | 'tls' | 'insecure'> {
  readonly kind: 'jwks_url';
  readonly url: ServiceUrl;
  readonly tls: TlsConfig | null;
  readonly insecure: boolean;
}

export interface IntrospectionAuth extends Method<'introspection'>, Omit<ParsedMethods['introspection'], 'tls'> {
  readonly tls: TlsConfig | null;
}

export interface HmacAuth extends Method<'hmac'>, Readonly<ParsedMethods['hmac']> {}

export interface CertificateAuth extends Method<'certificate'>, Omit<ParsedMethods['certificate'], 'allow'> {
  /** Null: all. */
  readonly allow: readonly string[] | null;
}

export interface ForwardAuth extends Method<'forward'>, Omit<ParsedMethods['forward'], 'tls'> {
  readonly tls: TlsConfig | null;
}

type ParsedUpstream = Block<typeof upstream>;

type ParsedBalance = ParsedUpstream['balance'];
/** Policies without settings. */
type PlainBalance = Extract<ParsedBalance, string>;
type ParsedSticky = NonNullable<Exclude<ParsedBalance, string>['sticky']>;

/** How a target is chosen. */
export type BalanceConfig =
  | { readonly kind: PlainBalance }
  | { readonly kind: 'hash'; readonly key: HashKey }
  | StickyConfig;

interface StickyConfig extends Omit<ParsedSticky, 'cookie'> {
  readonly kind: 'sticky';
  readonly cookie: string;
}

/** Where targets are found besides those in the config. */
export type DiscoverConfig = DnsDiscovery | FileDiscovery;

type ParsedDiscover = NonNullable<ParsedUpstream['discover']>;

export interface DnsDiscovery extends Omit<NonNullable<ParsedDiscover['dns']>, 'port'> {
  readonly kind: 'dns';
  /** Of the targets of type a. */
  readonly port: number;
}

export interface FileDiscovery {
  readonly kind: 'file';
  /** Where it is read. */
  readonly path: string;
  readonly path_text: string;
}

export interface TargetConfig extends Omit<ParsedUpstream['targets'][number], 'name' | 'url'> {
  readonly name: string;
  /** For people: `***` when it came from a file. */
  readonly url: string;
  readonly endpoint: Endpoint;
}

export interface TlsConfig extends Omit<NonNullable<ParsedUpstream['tls']>, 'ca' | 'cert' | 'key' | 'server_name'> {
  readonly ca: Buffer | null;
  readonly cert: Buffer | null;
  readonly key: Buffer | null;
  readonly server_name: string | null;
}

/** `max_handshakes` is of `limits.max_handshakes`; a share is all of them while there is one upstream only. */
export interface UpstreamConfig
  extends Omit<ParsedUpstream, 'targets' | 'host' | 'tls' | 'balance' | 'discover' | 'on_gone' | 'hold' | 'health'> {
  readonly name: string;
  readonly targets: readonly TargetConfig[];
  readonly host: 'client' | 'target' | { readonly literal: string };
  readonly relax: readonly UpstreamCheck[];
  readonly tls: TlsConfig | null;
  readonly balance: BalanceConfig;
  /** Null: none. */
  readonly discover: DiscoverConfig | null;
  readonly on_gone: 'drain' | 'keep';
  /** Milliseconds. */
  readonly hold: number;
  readonly health: HealthConfig;
}

type ParsedHealth = ParsedUpstream['health'];
type ParsedChecks = Exclude<ParsedHealth['active'], 'off'>;
type ActiveChecks = Omit<ParsedChecks, 'type'> & { readonly type: NonNullable<ParsedChecks['type']> };
export type HealthConfig = Omit<ParsedHealth, 'active'> & { readonly active: 'off' | ActiveChecks };

/** Milliseconds. delay + grace + spread < timeout. */
export type DrainConfig = Block<typeof drain>;

/** The token is never null when the address is neither loopback nor a unix socket, which is for the own user only. */
export interface AdminConfig extends Omit<Block<typeof admin>, 'address'> {
  readonly address: ListenAddress;
  readonly address_text: string;
}

/** Null: by the environment. */
interface RevocationsConfig {
  readonly dir: string | null;
  /** As it was written. */
  readonly dir_text: string | null;
}

export type LogConfig = Block<typeof log>;

/** A key of the file that the loaded config holds in another form is named here. */
export interface Config
  extends Omit<
    ParsedConfig,
    | 'listeners'
    | 'trusted_proxies'
    | 'defaults'
    | 'routes'
    | 'auth'
    | 'upstreams'
    | 'limits'
    | 'timeouts'
    | 'close_codes'
    | 'revocations'
    | 'admin'
  > {
  readonly listeners: readonly ListenerConfig[];
  readonly trusted_proxies: AddressList;
  readonly defaults: SharedKeys;
  readonly routes: readonly RouteConfig[];
  /** No prototype: a look-up by any name is safe. */
  readonly auth: Readonly<Record<string, AuthConfig>>;
  /** No prototype: a look-up by any name is safe. */
  readonly upstreams: Readonly<Record<string, UpstreamConfig>>;
  readonly limits: Limits;
  readonly timeouts: Timeouts;
  readonly close_codes: CloseCodes;
  readonly revocations: RevocationsConfig;
  /** Null: no admin listener. */
  readonly admin: AdminConfig | null;
}
