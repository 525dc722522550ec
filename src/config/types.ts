// Owns the types of a config: as it is loaded, and as it is written. It holds types only, so that every layer may name
// them without what reads a config.

import type { RouteCheck, UpstreamCheck } from '../protocol/relax.ts';
import type { BALANCES } from './balances.ts';
import type { CountOrShare } from './shares.ts';

export type { ConfigInput, ParsedConfig } from './schema.ts';

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

/** Where a listener binds. An empty `host` means every address of the machine. */
export type ListenAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string; readonly mode: number | null };

export interface ListenerConfig {
  readonly name: string;
  readonly address: ListenAddress;
  readonly address_text: string;
  readonly backlog: number;
  /** A GET of exactly this path without Upgrade asks for health; null when nothing does. */
  readonly health_path: string | null;
  readonly paths: { readonly leading_slashes: 'refuse' | 'merge' };
}

/** Limits of one direction. Sizes in bytes; Infinity is `off`, also for the burst of a rate that is off. */
export interface DirectionLimits {
  readonly max_message_size: number;
  readonly max_frame_size: number;
  readonly max_fragments: number;
  /** Rates may have up to three decimals, and so may bursts. */
  readonly messages_per_second: number;
  readonly message_burst: number;
  readonly bytes_per_second: number;
  readonly byte_burst: number;
  readonly control_frames_per_second: number;
  readonly control_frame_burst: number;
  readonly on_rate_exceeded: 'close' | 'pause' | 'drop';
  readonly validate_utf8: boolean;
}

export interface Limits {
  readonly max_head_size: number;
  readonly max_target_size: number;
  readonly max_header_fields: number;
  readonly max_early_bytes: number;
  /** Always the global cap, also in a route's merged limits: a route's own is `own_max_sessions`. */
  readonly max_sessions: number;
  readonly max_handshakes: number;
  readonly max_waiting_handshakes: number;
  readonly handshakes_per_second: number;
  readonly handshake_burst: number;
  /** As with `max_sessions`: a route's own are `own_max_sessions_per_ip` and `own_handshakes_per_second_per_ip`. */
  readonly max_sessions_per_ip: number;
  readonly handshakes_per_second_per_ip: number;
  readonly max_buffered: number;
  readonly max_buffered_total: number;
  readonly from_client: DirectionLimits;
  readonly from_backend: DirectionLimits;
}

/** Milliseconds; Infinity is `off`. */
interface Timeouts {
  readonly handshake: number;
  readonly connect: number;
  readonly upgrade: number;
  readonly open: number;
  readonly idle: number;
  readonly message_stall: number;
  readonly write_stall: number;
  readonly slow_reader: number;
  readonly close: number;
  readonly client_ping_interval: number;
  readonly backend_ping_interval: number;
  readonly pong: number;
  readonly lifetime: number;
}

/** Close codes sent to the client instead of the standard ones, by cause; only what the config sets. No prototype. */
export type CloseCodes = Readonly<Record<string, number>>;

export interface RouteConfig {
  readonly name: string;
  /** Empty `hosts` match any Host, empty `listeners` any listener. Hosts are lower-case, without a trailing dot. */
  readonly match: {
    readonly hosts: readonly string[];
    readonly path: string;
    readonly encoded_slashes: 'refuse' | 'keep';
    readonly listeners: readonly string[];
  };
  /** A key of `upstreams`. */
  readonly upstream: string;
  readonly rewrite: string | null;
  readonly limits: Limits;
  /** What this route's limits say of these keys: they hold on this route alone, besides the global ones. */
  readonly own_max_sessions: number;
  readonly own_max_sessions_per_ip: number;
  readonly own_handshakes_per_second_per_ip: number;
  readonly timeouts: Timeouts;
  readonly close_codes: CloseCodes;
  readonly compression: 'passthrough' | 'off';
  readonly subprotocols: 'any' | readonly string[];
  readonly relax: readonly RouteCheck[];
}

export interface TargetConfig {
  readonly name: string;
  /** For people: `***` when it came from a file. */
  readonly url: string;
  readonly endpoint: Endpoint;
  readonly weight: number;
  readonly max_sessions: number;
}

export interface TlsConfig {
  readonly ca: Buffer | null;
  readonly cert: Buffer | null;
  readonly key: Buffer | null;
  readonly server_name: string | null;
  readonly verify: boolean;
}

export type BalancePolicy = (typeof BALANCES)[number];

export interface UpstreamConfig {
  readonly name: string;
  readonly targets: readonly TargetConfig[];
  readonly host: 'client' | 'target' | { readonly literal: string };
  readonly balance: BalancePolicy;
  /** Of `limits.max_handshakes`; a share is all of them while there is one upstream only. */
  readonly max_handshakes: CountOrShare;
  readonly retries: number;
  readonly local_addresses: readonly string[];
  readonly max_head_size: number;
  readonly relax: readonly UpstreamCheck[];
  readonly tls: TlsConfig | null;
}

/** Milliseconds. delay + grace + spread < timeout. */
export interface DrainConfig {
  readonly delay: number;
  readonly grace: number;
  readonly spread: number;
  readonly timeout: number;
}

/** `max_ended`: a share from 0 to 1, Infinity for off. */
interface ReloadConfig {
  readonly max_ended: number;
}

export interface AdminConfig {
  /** A unix socket is for the own user only. */
  readonly address: ListenAddress;
  readonly address_text: string;
  /** Never null when the address is neither loopback nor a unix socket. */
  readonly token: string | null;
  /** Lower-case, without a trailing dot. */
  readonly hosts: readonly string[];
  readonly public: readonly ('health' | 'metrics')[];
}

export interface LogConfig {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  readonly format: 'auto' | 'json' | 'pretty';
  readonly query: 'off' | 'names';
  readonly path: 'full' | 'route';
  readonly session_open: 'debug' | 'info';
  /** Infinity is `off`. */
  readonly lines_per_second: number;
}

export interface Config {
  readonly listeners: readonly ListenerConfig[];
  readonly trusted_proxies: readonly string[];
  readonly routes: readonly RouteConfig[];
  /** No prototype: a look-up by any name is safe. */
  readonly upstreams: Readonly<Record<string, UpstreamConfig>>;
  readonly limits: Limits;
  readonly timeouts: Timeouts;
  readonly close_codes: CloseCodes;
  readonly drain: DrainConfig;
  readonly reload: ReloadConfig;
  /** Null: no admin listener. */
  readonly admin: AdminConfig | null;
  readonly log: LogConfig;
}
