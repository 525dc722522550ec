// Owns what a row of `keys/` becomes: what people write for it, and what the schema reads. It holds types only, and
// none of the schema's.

import type { BindAddress } from '../protocol/addresses/bind-address.ts';
import type { CredentialPlace } from '../protocol/credential-places.ts';
import type { PathPattern } from '../protocol/path.ts';
import type { TextForm } from './keys/row.ts';
import type { CountOrShare } from './shares.ts';

/** What a session's backend is reached by. `base` goes before the request's path and never ends in a slash. */
export type Endpoint =
  | {
      readonly kind: 'tcp';
      readonly host: string;
      /** What is dialed: `host`, which still names the backend, was looked up already. */
      readonly address?: string;
      readonly port: number;
      readonly secure: boolean;
      readonly base: string;
    }
  | { readonly kind: 'unix'; readonly path: string; readonly base: string }
  | { readonly kind: 'echo' };

/** Where a listener binds. `mode`, a key of its own, is of a unix socket alone; null is the umask's. */
export type ListenAddress =
  | Extract<BindAddress, { readonly kind: 'tcp' | 'fd' }>
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
  readonly hash_key: HashKey;
  readonly cookie_name: string;
  readonly cookie_path: string;
  /** Seconds; null for `session`. */
  readonly cookie_age: number | null;
  readonly secret: string | null;
  readonly check_path: string;
  readonly check_host: string;
  readonly field_text: string;
  /** Both ends included. */
  readonly statuses: { readonly from: number; readonly to: number };
  readonly message: string;
  /** Lower-case, without a trailing dot. */
  readonly dns_name: string;
  /** As `node:dns` takes it: address and port. */
  readonly dns_server: string;
  /** '' for `/`; never ends in a slash. */
  readonly base_path: string;
  readonly carrier: CredentialPlace;
  readonly key_prefix: string;
  readonly identity: string;
  readonly identity_pattern: string;
  readonly user_name: string;
  /** Hex, in lower case. */
  readonly sha256: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly password_hash: string;
  readonly realm: string;
  readonly shared_secret: string;
  readonly public_key: string;
  readonly claim: string;
  readonly claim_off: string | null;
  readonly claim_text: string;
  readonly claim_value: string;
  readonly service_url: ServiceUrl;
  /** Lower-case. */
  readonly signed_field: string;
  readonly sent_field: string;
  readonly auth_name: string;
  /** Lower-case, without a trailing dot. */
  readonly acme_domain: string;
  readonly acme_directory: ServiceUrl;
  readonly email: string;
}

/** What is asked over HTTP. `path` has the query with it. */
export interface ServiceUrl {
  readonly text: string;
  readonly endpoint: Extract<Endpoint, { readonly kind: 'tcp' }>;
  readonly authority: string;
  readonly path: string;
}

/** What of a request decides where it goes. */
export type HashKey =
  | { readonly kind: 'header' | 'cookie' | 'query'; readonly name: string }
  | { readonly kind: 'claim'; readonly name: string }
  | { readonly kind: 'path' }
  | { readonly kind: 'identity' }
  /** Counted from 1. */
  | { readonly kind: 'segment'; readonly index: number };

export type TextInput<F extends TextForm> = F extends 'token' | 'passphrase' | 'secret'
  ? string | false | { file: string }
  : F extends 'shared_secret' | 'public_key'
    ? string | { file: string }
    : F extends 'claim_value'
      ? string | number | boolean
      : F extends 'tickets'
        ? string | boolean | { file: string }
        : F extends 'health_path' | 'file_off' | 'claim_off'
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
  ?
      | InputOf<I>[]
      | (K extends { readonly single: true } ? InputOf<I> : never)
      | (K extends { readonly or: { readonly word: infer W } } ? W : never)
      | FileOf<K>
  : K extends { readonly kind: 'block'; readonly keys: infer T }
    ? InputBlock<T> | Words<K> | ('off' extends Words<K> ? false : never)
    : K extends { readonly kind: 'named'; readonly of: infer I }
      ? Record<string, InputOf<I>>
      : never;

type FileOf<K> = K extends { readonly file: true } ? { readonly file: string } : never;

/** Keys that may be left out. */
type Optional = { readonly default: unknown } | { readonly unset: string };

export type InputBlock<T> = Flat<
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
    ? Block<T> | Words<K>
    : K extends { readonly kind: 'named'; readonly of: infer I }
      ? Readonly<Record<string, ValueOf<I>>>
      : never;

/** A block with its defaults in place. What stays out has none that could be written. */
export type Block<T> = Flat<
  { readonly [K in keyof T as T[K] extends Absent ? never : K]: ValueOf<T[K]> } & {
    readonly [K in keyof T as T[K] extends Absent ? K : never]?: ValueOf<T[K]> | undefined;
  }
>;

type Absent = { readonly unset: string; readonly default?: never };

/** A block in force: merged with a route's, and nothing left open. */
export type Merged<T> = {
  readonly [K in keyof T]: T[K] extends { readonly kind: 'block'; readonly keys: infer B }
    ? Merged<B>
    : T[K] extends { readonly follows: unknown }
      ? number
      : ValueOf<T[K]>;
};

type Flat<T> = { [K in keyof T]: T[K] };
