// Takes on another config while everything runs, whole or not at all. One at a time; of those asked for meanwhile the
// last state wins. Where a config is read from is its owner's affair.

import { type AcmeCertificates, AcmeConfigError, type AcmePlan } from '../acme/certificates.ts';
import { loadObject } from '../config/load.ts';
import { ConfigError, type Problem } from '../config/problems.ts';
import type { Config, ConfigInput } from '../config/types.ts';
import type { Edge } from '../edge/edge.ts';
import type { Slices } from '../limits/slices.ts';
import { changedPaths, restartObstacles } from './config-changes.ts';
import { type Ended, EndedCheck, endedBy } from './ended-sessions.ts';
import { BindError, type Listeners, type Move } from './listeners.ts';
import { sessionsCap } from './sessions-cap.ts';
import type { SnapshotPlan } from './snapshot.ts';
import { TakingOn } from './taking-on.ts';

/** What reading the config anew gave. `unchanged`: not one byte of what it is made of is another. */
export type ReadConfig =
  | {
      readonly config: Config;
      /** Called once this config is in force. */
      accepted?(): void;
    }
  | { readonly problems: readonly Problem[] }
  | { readonly unchanged: true };

/** Reads the config anew. */
export type ConfigSource = () => ReadConfig | Promise<ReadConfig>;

export type Reloaded = { readonly ok: true; readonly changed: readonly string[] } | Refused;

interface Refused {
  readonly ok: false;
  readonly problems: readonly Problem[];
}

export interface ReloadAsk {
  /** However many sessions it ends: see `reload.max_ended`. */
  readonly force?: boolean;
  /** Rejected for what it would end, it is tried again when that has become less. */
  readonly again?: boolean;
}

/** Other processes, which take on the same config, or none does. */
interface Fellows {
  /** What stands against it, or a plan: nothing has changed before it is committed. */
  prepare(config: Config, sessionsMax: number): Promise<FellowPlan | string>;
}

export interface FellowPlan {
  /** What it would end there. Also when it was given up. */
  countEnded(): Promise<Ended>;
  /** Resolves when it is in force everywhere. */
  commit(): Promise<void>;
  abort(): void;
}

/** Where there are no other processes. */
const ALONE: FellowPlan = {
  countEnded: async () => ({ open: 0, ended: 0 }),
  commit: async () => {},
  abort() {},
};

/** What is prepared besides the plan. */
interface Rest {
  readonly certificates: AcmePlan;
  readonly move: Move;
}

interface ReloadOptions {
  readonly edge: Edge;
  /** What grows with the config and with the sessions is done in these. */
  readonly slices: Slices;
  readonly listeners: Listeners;
  readonly acme: Pick<AcmeCertificates, 'prepare'>;
  /** Null: this process is alone. */
  readonly fellows?: () => Fellows | null;
  /** Null when there is nothing to read again. */
  readonly source: ConfigSource | null;
  /** Where relative paths of a config object start, and what its problems call it. */
  readonly baseDir: string;
  readonly name: string;
  readonly openFiles: number;
  /** A new process is being started, which has read its config already. */
  isRestarting(): boolean;
  /** The new config is in force. */
  onApplied(config: Config): void;
  /** One begins, or is over. */
  onProgress?(isUnderWay: boolean): void;
}

const RESTARTING = 'a new process is being started, which has read the config before: reload it when that is there';

export class Reloads {
  /** When the last one ended, in milliseconds since 1970, and how; null before the first. */
  last: { readonly at: number; readonly ok: boolean } | null = null;
  private readonly options: ReloadOptions;
  private tail: Promise<unknown> = Promise.resolve();
  /** Asked for, and not begun: whoever asks now gets what it will read. */
  private waiting: { readonly result: Promise<Reloaded>; ask: ReloadAsk } | null = null;
  private readonly endedCheck: EndedCheck;
  private readonly takingOn: TakingOn;
  /** The last one. */
  private fellowPlan: FellowPlan = ALONE;

  constructor(options: ReloadOptions) {
    const { edge, slices } = options;
    this.options = options;
    const tryAgain = () => this.reload(undefined, { again: true });
    this.endedCheck = new EndedCheck({ edge, count: (plan) => this.countEnded(plan), tryAgain });
    this.takingOn = new TakingOn(edge, slices);
  }

  /** From `input`, or from the source. Never rejects: what is wrong is in the answer and in the log. */
  reload(input?: ConfigInput, ask: ReloadAsk = {}): Promise<Reloaded> {
    if (input === undefined && this.waiting !== null) {
      // Whoever says --force gets it, and so do those who wait for the same.
      if (ask.force === true) this.waiting.ask = ask;
      return this.waiting.result;
    }
    const turn = this.tail;
    const result = turn.then(() => {
      if (this.waiting?.result === result) {
        ask = this.waiting.ask;
        this.waiting = null;
      }
      return this.run(input, ask);
    });
    this.tail = result;
    if (input === undefined) this.waiting = { result, ask };
    return result;
  }

  private async run(input: ConfigInput | undefined, ask: ReloadAsk): Promise<Reloaded> {
    const { edge } = this.options;
    this.endedCheck.forget();
    this.options.onProgress?.(true);
    const startedAt = edge.clock.now();
    let result: Reloaded;
    try {
      result = await this.attempt(input, ask);
    } catch (error) {
      const message = `a fault in framegate itself: ${error instanceof Error ? error.message : String(error)}`;
      result = this.refused('', message);
    }
    const at = Date.now();
    this.last = { at, ok: result.ok };
    this.options.onProgress?.(false);
    if (result.ok) {
      edge.metrics.process.reloaded(at / 1000);
      const ms = Math.round(edge.clock.now() - startedAt);
      edge.log.event('info', 'config.loaded', { changed: result.changed, ms });
    } else {
      edge.metrics.process.reloadRejected();
      edge.log.event('error', 'config.rejected', { problems: result.problems });
    }
    return result;
  }

  private async attempt(input: ConfigInput | undefined, ask: ReloadAsk): Promise<Reloaded> {
    const { edge, slices, onApplied } = this.options;
    if (edge.draining) return this.refused('', 'framegate is draining');
    if (this.options.isRestarting()) return this.refused('', RESTARTING);
    const read = await this.read(input);
    if ('problems' in read) return { ok: false, problems: read.problems };
    if ('unchanged' in read) return { ok: true, changed: [] };
    const before = edge.snapshot.config;
    const { config } = read;
    const obstacles = restartObstacles(before, config);
    if (obstacles.length > 0) {
      return { ok: false, problems: obstacles.map(({ path, message }) => this.problem(path, message)) };
    }
    const cap = sessionsCap(config, this.options.openFiles);
    if (cap.isRefused) return this.refused('limits.max_sessions', cap.lowered ?? '');
    const { sessionsMax } = cap;
    const plan = await this.takingOn.plan(config);
    const fellows = await this.prepareFellows(config, sessionsMax);
    if (typeof fellows === 'string') return this.refused('', fellows);
    this.fellowPlan = fellows;
    let isTaken = false;
    try {
      const changed = await slices.run(changedPaths(before, config));
      const rest = await this.prepareRest(plan, config, ask);
      if ('problems' in rest) return rest;
      if (edge.draining) {
        rest.move.abort();
        return this.refused('', 'framegate is draining');
      }
      isTaken = true;
      rest.certificates.commit();
      // First: what they are told from here on is of this config.
      const isEverywhere = fellows.commit();
      this.takingOn.commit(plan, sessionsMax);
      onApplied(config);
      read.accepted?.();
      rest.move.commit();
      await Promise.all([this.takingOn.retune(), isEverywhere]);
      return { ok: true, changed };
    } finally {
      if (!isTaken) fellows.abort();
    }
  }

  /** Why other processes cannot take it on, or what they will do. */
  private async prepareFellows(config: Config, sessionsMax: number): Promise<FellowPlan | string> {
    return (await this.options.fellows?.()?.prepare(config, sessionsMax)) ?? ALONE;
  }

  /** Whether anything else stands against it; nothing has changed then. */
  private async prepareRest(plan: SnapshotPlan, config: Config, ask: ReloadAsk): Promise<Refused | Rest> {
    const { listeners, acme } = this.options;
    if (ask.force !== true) {
      const tooMany = await this.endedCheck.refusal(plan, config.reload.max_ended, ask.again === true);
      if (tooMany !== null) return this.refused('reload.max_ended', tooMany);
    }
    try {
      const certificates = await acme.prepare(config);
      return { certificates, move: await listeners.prepare(config.listeners) };
    } catch (error) {
      if (error instanceof AcmeConfigError) return this.refused(error.path, error.message);
      if (error instanceof BindError) return this.refused(`listeners[${error.index}].address`, error.message);
      throw error;
    }
  }

  /** Of all processes. */
  private async countEnded(plan: SnapshotPlan): Promise<Ended> {
    const { edge, slices } = this.options;
    const [here, elsewhere] = await Promise.all([endedBy(plan, edge, slices), this.fellowPlan.countEnded()]);
    return { open: here.open + elsewhere.open, ended: here.ended + elsewhere.ended };
  }

  private async read(input: ConfigInput | undefined): Promise<ReadConfig> {
    const { source, baseDir, name } = this.options;
    if (input === undefined) {
      return source === null ? { problems: [this.problem('', `${name} cannot be read again`)] } : source();
    }
    try {
      return { config: loadObject(input, { baseDir }).config };
    } catch (error) {
      if (error instanceof ConfigError) return { problems: error.problems };
      throw error;
    }
  }

  private refused(path: string, message: string): Refused {
    return { ok: false, problems: [this.problem(path, message)] };
  }

  private problem(path: string, message: string): Problem {
    return { severity: 'error', file: this.options.name, line: null, column: null, path, message };
  }
}
