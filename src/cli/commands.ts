// What the command line can be asked for, and the exit codes that it answers with. Nothing here reads an argument.

import type { SessionSort } from '../admin/subject.ts';

/** What a shell or a supervisor may rely on. */
export const ExitCode = {
  Stopped: 0,
  Failed: 1,
  Usage: 2,
  Forced: 3,
  NoAnswer: 69,
  BadConfig: 78,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** A config file; `default` is ./config.yaml, which nobody asked for by name. */
export type FileSource =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'stdin' }
  | { readonly kind: 'default' };

/** Where a running proxy's config comes from. */
export type RunSource =
  | FileSource
  | { readonly kind: 'demo'; readonly listen: string | null }
  | { readonly kind: 'to'; readonly url: string; readonly listen: string | null };

/** Where the admin listener is: told, or to be read from a config file. */
export interface AdminPlace {
  readonly address: string | null;
  readonly source: FileSource;
}

export interface SessionChoice {
  readonly route: string | null;
  readonly client: string | null;
  readonly target: string | null;
  readonly identity: string | null;
}

/** Which credentials of a method. */
interface RevokeChoice {
  readonly auth: string;
  readonly kind: 'identity' | 'key' | 'jti' | 'all';
  /** `1` for all. */
  readonly value: string;
}

/** What `drain` and `undrain` are about. */
export type DrainSubject =
  | { readonly kind: 'route'; readonly route: string }
  | { readonly kind: 'target'; readonly upstream: string; readonly target: string };

type OutputFormat = 'text' | 'json';

/** Commands that ask a running proxy. */
export type AdminCommand = { readonly at: AdminPlace } & (
  | { readonly kind: 'status'; readonly format: OutputFormat; readonly watch: boolean }
  | {
      readonly kind: 'upstreams';
      /** Null: all. */
      readonly name: string | null;
      readonly format: OutputFormat;
      readonly watch: boolean;
    }
  | {
      readonly kind: 'sessions';
      readonly id: string | null;
      readonly choice: SessionChoice;
      readonly state: string | null;
      readonly sort: SessionSort | null;
      readonly limit: number | null;
      readonly after: string | null;
      readonly format: OutputFormat;
      readonly watch: boolean;
    }
  | { readonly kind: 'why'; readonly id: string; readonly format: OutputFormat }
  | {
      readonly kind: 'top';
      readonly choice: SessionChoice;
      readonly state: string | null;
      readonly sort: SessionSort;
    }
  | {
      readonly kind: 'close';
      readonly id: string | null;
      readonly choice: SessionChoice;
      readonly code: string | null;
      readonly reason: string | null;
    }
  | {
      readonly kind: 'drain';
      readonly subject: DrainSubject | null;
      /** Until it is empty; Infinity waits for ever. Null: not at all. */
      readonly wait: { readonly timeoutMs: number } | null;
    }
  | { readonly kind: 'undrain'; readonly subject: DrainSubject }
  | { readonly kind: 'reload'; readonly force: boolean; readonly format: OutputFormat }
  | { readonly kind: 'restart'; readonly format: OutputFormat }
  | { readonly kind: 'revoke'; readonly choice: RevokeChoice; readonly time: string | null }
  /** `until`: seconds since 1970. */
  | { readonly kind: 'extend'; readonly id: string; readonly until: number }
  | { readonly kind: 'advise'; readonly route: string | null; readonly format: OutputFormat }
  | { readonly kind: 'healthcheck'; readonly route: string | null }
);

/** A conversation with a WebSocket server, framegate or not. */
export interface ProbeCommand {
  readonly kind: 'probe';
  readonly url: ProbeUrl;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly subprotocol: string | null;
  readonly message: string | null;
  readonly count: number;
  readonly format: OutputFormat;
}

export interface ProbeUrl {
  readonly text: string;
  readonly secure: boolean;
  /** Without the brackets of an IPv6 address. */
  readonly host: string;
  readonly port: number;
  /** As Host is sent, unless a header says otherwise. */
  readonly authority: string;
  /** Path and query. */
  readonly path: string;
}

export type Command =
  | { readonly kind: 'run'; readonly source: RunSource; readonly watch: boolean }
  | { readonly kind: 'check'; readonly source: FileSource; readonly format: OutputFormat }
  | { readonly kind: 'config'; readonly source: FileSource }
  | ProbeCommand
  | AdminCommand
  | { readonly kind: 'hash-password' }
  | { readonly kind: 'hash-key'; readonly prefix: string }
  | { readonly kind: 'schema' }
  | { readonly kind: 'version' }
  | { readonly kind: 'help'; readonly topic: string | null };

export type CommandName = Command['kind'];
