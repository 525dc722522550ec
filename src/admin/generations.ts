// What the admin listener tells of a restart, and of the processes that are left of earlier ones. Types only.

/** An older process of this framegate, which ends its sessions behind a restart. */
export interface GenerationView {
  readonly pid: number;
  readonly sessions: number;
  readonly state: string;
}

export type RestartResult =
  /** The next one has this pid, and was ready after `ms`; this one leaves. */
  | { readonly ok: true; readonly pid: number; readonly ms: number }
  /** This one goes on. */
  | { readonly ok: false; readonly error: 'restarting' | 'draining' }
  | { readonly ok: false; readonly error: 'not_restartable' | 'restart_failed'; readonly why: string };
