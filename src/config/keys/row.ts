// Owns the form of a row: all that is declared about a key of the config, once. Types, schema, overrides, merging,
// rendering, the reference and config.yaml grow from the rows, which are plain data. It holds types only.

/** How a text is read; `config/texts.ts` has the readers, `TextValues` what they give. */
export type TextForm =
  | 'plain'
  | 'name'
  | 'address'
  | 'mode'
  | 'cidr'
  | 'proxy'
  | 'client_field'
  | 'ip'
  | 'path'
  | 'health_path'
  | 'host'
  | 'admin_host'
  | 'upstream_host'
  | 'server_name'
  | 'url'
  | 'file'
  | 'file_off'
  | 'ciphers'
  | 'passphrase'
  | 'tickets'
  | 'token'
  | 'subprotocol'
  | 'origin'
  | 'request_field'
  | 'answer_field'
  | 'template'
  | 'hash_key'
  | 'cookie_name'
  | 'cookie_path'
  | 'cookie_age'
  | 'secret'
  | 'check_path'
  | 'check_host'
  | 'field_text'
  | 'statuses'
  | 'message'
  | 'dns_name'
  | 'dns_server'
  | 'base_path'
  | 'carrier'
  | 'key_prefix'
  | 'identity'
  | 'identity_pattern'
  | 'user_name'
  | 'sha256'
  | 'time'
  | 'password_hash'
  | 'realm'
  | 'shared_secret'
  | 'public_key'
  | 'claim'
  | 'claim_off'
  | 'claim_text'
  | 'claim_value'
  | 'service_url'
  | 'signed_field'
  | 'sent_field'
  | 'auth_name'
  | 'acme_domain'
  | 'acme_directory'
  | 'email';

/** Both ends of a range are allowed. `off` stands for no limit. */
export type Scalar =
  | { readonly kind: 'size'; readonly min: number; readonly max: number; readonly off?: true }
  | { readonly kind: 'duration'; readonly min: number; readonly max: number; readonly off?: true }
  /** A whole number, or a word that stands for one. */
  | { readonly kind: 'count'; readonly min: number; readonly max: number; readonly words?: readonly string[] }
  | { readonly kind: 'count_or_share'; readonly min: number; readonly max: number }
  /** With up to three decimals: what token buckets count without rounding. */
  | { readonly kind: 'number'; readonly min: number; readonly max: number; readonly off?: true }
  /** From 0% to 100%, or off. */
  | { readonly kind: 'share' }
  /** On or off. */
  | { readonly kind: 'switch' }
  /** True or false. */
  | { readonly kind: 'truth' }
  | Choice
  | { readonly kind: 'close_code' }
  | Text;

interface Text {
  readonly kind: 'text';
  readonly form: TextForm;
}

export interface Choice {
  readonly kind: 'choice';
  readonly words: readonly string[];
  /** `off` is one of the words. */
  readonly off?: true;
  /** Words of later versions, and what to write until then. */
  readonly later?: Readonly<Record<string, string>>;
  /** Words that are right in another place, and what to say of them. */
  readonly elsewhere?: Readonly<Record<string, string>>;
}

/** What stands in a list; a sentence of its own is for editors. */
export type Item = (Scalar | Keyed) & { readonly says?: string };

export interface List {
  readonly kind: 'list';
  readonly of: Item;
  /** What to say when it is empty and must not be. */
  readonly least?: string;
  /** A word instead of the list, and what to say when it is neither. */
  readonly or?: { readonly word: string; readonly problem: string };
  /** `{ file: path }` instead of the list: of addresses one entry a line, of blocks YAML. */
  readonly file?: true;
  /** One item may stand for a list of it. */
  readonly single?: true;
}

/** A block of keys. */
export interface Keyed {
  readonly kind: 'block';
  readonly keys: Keys;
  /** Words that may stand in its place; `off` may also come as false. */
  readonly words?: readonly string[];
  /** Exactly one of its keys is to be there, and what to say when it is not so. */
  readonly one?: string;
}

/** Blocks, or texts, by names that the config chooses. */
interface Named {
  readonly kind: 'named';
  /** What its names are, where they are no names of the config's own. */
  readonly by?: 'request_field' | 'answer_field' | 'claim';
  readonly of: Keyed | Text | List;
}

type Literal = string | number | boolean | readonly string[] | readonly Record<string, never>[] | Empty;
type Empty = Readonly<Record<string, never>>;

/**
 * `burst`: of that rate, twice of it unless given. `fragments`: as many as that size needs. `at_most`: never above it.
 */
export type FollowRule = 'burst' | 'fragments' | 'at_most';

type Kind = Scalar | List | Keyed | Named;

export type RequestKind = 'sockets' | 'http';

export type Row = Kind & {
  /** What it means: in config.yaml, in the schema and in the reference. */
  readonly says: string;
  /** More of that, for the schema and the reference. */
  readonly more?: string;
  /** What an attacker does without it: `Without it ...`. */
  readonly without?: string;
  /** Its values in words, where the kind does not say them. */
  readonly values?: string;
  /** As it would be written. */
  readonly default?: Literal;
  /** It stands in place of keys beside it: config.yaml shows it so. */
  readonly instead?: true;
  /** Not required, but what an example of its block shows. */
  readonly usual?: true;
  /** What holds when it is left out, where no default says so. A key with neither is required. */
  readonly unset?: string;
  /** What config.yaml shows where the default is no value. */
  readonly example?: string;
  /**
   * Of limits and timeouts: `global` is for the top-level block alone; a route's own value of `both` holds besides the
   * global one; all others are overridden.
   */
  readonly scope?: 'global' | 'both';
  /**
   * It holds for requests that ask for an upgrade, with the sessions that come of them, or for the others alone; else
   * for both.
   */
  readonly serves?: RequestKind;
  /** Of a required value: what stands for it, where it is missing or wrong, in the checks across keys. */
  readonly standIn?: string | number;
  /** What it becomes by another key of its block. */
  readonly follows?: { readonly rule: FollowRule; readonly key: string };
  /** Nothing else ends this wait: switching it off is worth a warning. */
  readonly needed?: true;
};

export type Keys = { readonly [key: string]: Row };
