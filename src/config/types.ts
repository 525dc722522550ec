// Owns the types of a config: as it is written, as the schema reads it, and as it is loaded. They grow from the rows in
// `keys/`; it holds types only, and none of the schema's, so that every layer may name them.

import type { BindAddress } from '../protocol/addresses/bind-address.ts';
import type { PathPattern } from '../protocol/path.ts';
import type { RouteCheck, UpstreamCheck } from '../protocol/relax.ts';
import type { config } from './keys/config.ts';
import type { directions } from './keys/directions.ts';
import type { limits } from './keys/limits.ts';
import type { listenerTls } from './keys/listener-tls.ts';
import type { listener } from './keys/listeners.ts';
import type { admin, drain, log } from './keys/process.ts';
import type { route, shared } from './keys/routes.ts';
import type { TextForm } from './keys/row.ts';
import type { timeouts } from './keys/timeouts.ts';
import type { upstream } from './keys/upstreams.ts';
import type { CountOrShare } from './shares.ts';

/** What a session's backend is reached by. `base` goes before the request's path and never ends in a slash. */
export type Endpoint =
  | {
      readonly kind: 'tcp';
      readonly host: string;
      readonly port: number;
      readonly secure: boolean;
      readonly base: string;
    }
  | { readonly kind: 'unix'; readonly path: string; readonly base: string }
  | { readonly kind: 'echo' };

/** Where a listener binds. `mode`, a key of its own, is of a unix socket alone; null is the umask's. */
export type ListenAddress =
  | Extract<BindAddress, { readonly kind: 'tcp' }>
  | (Extract<BindAddress, { readonly kind: 'unix' }> & { readonly mode: number | null });

/** What each form of text is read as. Null is `off`. */
export interface TextValues extends Record<TextForm, unknown> {
  readonly plain: string;
  readonly name: string;
  readonly address: { readonly text: string; readonly bind: BindAddress };
  readonly mode: number;
  readonly cidr: string;
  readonly proxy: string;
  readonly client_field: string;
  readonly ip: string;
  readonly path: PathPattern;
  readonly health_path: string | null;
  readonly host: string;
  readonly admin_host: string;
  readonly upstream_host: string;
  readonly server_name: string;
  readonly url: { readonly text: string; readonly endpoint: Endpoint };
  readonly file: string;
  readonly file_off: string | null;
  /** As OpenSSL is told, the ciphers of TLSv1.3 among them. */
  readonly ciphers: string;
  readonly passphrase: string | null;
  readonly tickets: 'on' | 'off' | { readonly key: Buffer };
  readonly token: string | null;
  readonly subprotocol: string;
  readonly origin: string;
  readonly request_field: string;
  readonly answer_field: string;
  /** With the braces doubled of what was not written in the config. */
  readonly template: string;
}

export type TextInput<F extends TextForm> = F extends 'token' | 'passphrase'
  ? string | false | { file: string }
  : F extends 'tickets'
    ? string | boolean | { file: string }
    : F extends 'health_path' | 'file_off'
      ? string | false
      : F extends 'template'
        ? string | { file: string }
        : string;

type Off<K> = 'off' extends keyof K ? 'off' | false : never;

/** The words of a row that has some. */
type Words<K> = 'words' extends keyof K ? (K extends { readonly words?: readonly (infer W)[] } ? W : never) : never;

/** `false` is what YAML 1.1 makes of `off`. */
type OrFalse<W> = [W] extends [never] ? never : W | false;

/** What people write for a row: numbers with a unit are text. */
export type InputOf<K> = K extends { readonly kind: 'size' | 'duration' | 'share' }
  ? string | false
  : K extends { readonly kind: 'count' }
    ? number | OrFalse<Words<K>>
    : K extends { readonly kind: 'number' }
      ? number | Off<K>
      : K extends { readonly kind: 'count_or_share' }
        ? number | string
        : K extends { readonly kind: 'close_code' }
          ? number
          : K extends { readonly kind: 'switch' }
            ? 'on' | 'off' | boolean
            : K extends { readonly kind: 'truth' }
              ? boolean
              : K extends { readonly kind: 'choice' }
                ? Words<K> | Off<K>
                : K extends { readonly kind: 'text'; readonly form: infer F extends TextForm }
                  ? TextInput<F>
                  : InputOfMany<K>;

type InputOfMany<K> = K extends { readonly kind: 'list'; readonly of: infer I }
  ? InputOf<I>[] | (K extends { readonly or: { readonly word: infer W } } ? W : never) | FileOf<K>
  : K extends { readonly kind: 'block'; readonly keys: infer T }
    ? InputBlock<T>
    : K extends { readonly kind: 'named'; readonly of: infer I }
      ? Record<string, InputOf<I>>
      : never;

type FileOf<K> = K extends { readonly file: true } ? { readonly file: string } : never;

/** Keys that may be left out. */
type Optional = { readonly default: unknown } | { readonly unset: string };

type InputBlock<T> = Flat<
  { -readonly [K in keyof T as T[K] extends Optional ? never : K]: InputOf<T[K]> } & {
    -readonly [K in keyof T as T[K] extends Optional ? K : never]?: InputOf<T[K]> | undefined;
  }
>;

/** What the schema makes of a row: sizes in bytes, durations in milliseconds, Infinity for `off`. */
export type ValueOf<K> = K extends { readonly kind: 'size' | 'duration' | 'share' | 'number' | 'close_code' }
  ? number
  : K extends { readonly kind: 'count' }
    ? number | Exclude<Words<K>, 'off'>
    : K extends { readonly kind: 'count_or_share' }
      ? CountOrShare
      : K extends { readonly kind: 'switch' | 'truth' }
        ? boolean
        : K extends { readonly kind: 'choice' }
          ? Words<K> | Exclude<Off<K>, false>
          : K extends { readonly kind: 'text'; readonly form: infer F extends TextForm }
            ? TextValues[F]
            : ValueOfMany<K>;

type ValueOfMany<K> = K extends { readonly kind: 'list'; readonly of: infer I }
  ? readonly ValueOf<I>[] | (K extends { readonly or: { readonly word: infer W } } ? W : never) | FileOf<K>
  : K extends { readonly kind: 'block'; readonly keys: infer T }
    ? Block<T>
    : K extends { readonly kind: 'named'; readonly of: infer I }
      ? Readonly<Record<string, ValueOf<I>>>
      : never;

/** A block with its defaults in place. What stays out has none that could be written. */
type Block<T> = Flat<
  { readonly [K in keyof T as T[K] extends Absent ? never : K]: ValueOf<T[K]> } & {
    readonly [K in keyof T as T[K] extends Absent ? K : never]?: ValueOf<T[K]> | undefined;
  }
>;

type Absent = { readonly unset: string; readonly default?: never };

/** A block in force: merged with a route's, and nothing left open. */
type Merged<T> = {
  readonly [K in keyof T]: T[K] extends { readonly kind: 'block'; readonly keys: infer B }
    ? Merged<B>
    : T[K] extends { readonly follows: unknown }
      ? number
      : ValueOf<T[K]>;
};

type Flat<T> = { [K in keyof T]: T[K] };

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
  /** At least one. */
  readonly certificates: readonly ListenerCertificate[];
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
    Omit<ParsedRoute, 'name' | 'match' | 'rewrite' | 'limits' | 'timeouts' | 'close_codes' | keyof SharedKeys> {
  readonly name: string;
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
  readonly headers: HeadersConfig;
  readonly relax: readonly RouteCheck[];
}

type ParsedUpstream = Block<typeof upstream>;

export type BalancePolicy = ParsedUpstream['balance'];

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
export interface UpstreamConfig extends Omit<ParsedUpstream, 'targets' | 'host' | 'tls'> {
  readonly name: string;
  readonly targets: readonly TargetConfig[];
  readonly host: 'client' | 'target' | { readonly literal: string };
  readonly relax: readonly UpstreamCheck[];
  readonly tls: TlsConfig | null;
}

/** Milliseconds. delay + grace + spread < timeout. */
export type DrainConfig = Block<typeof drain>;

/** The token is never null when the address is neither loopback nor a unix socket, which is for the own user only. */
export interface AdminConfig extends Omit<Block<typeof admin>, 'address'> {
  readonly address: ListenAddress;
  readonly address_text: string;
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
    | 'upstreams'
    | 'limits'
    | 'timeouts'
    | 'close_codes'
    | 'admin'
  > {
  readonly listeners: readonly ListenerConfig[];
  readonly trusted_proxies: AddressList;
  readonly defaults: SharedKeys;
  readonly routes: readonly RouteConfig[];
  /** No prototype: a look-up by any name is safe. */
  readonly upstreams: Readonly<Record<string, UpstreamConfig>>;
  readonly limits: Limits;
  readonly timeouts: Timeouts;
  readonly close_codes: CloseCodes;
  /** Null: no admin listener. */
  readonly admin: AdminConfig | null;
}
