// Takes on another config while everything runs, whole or not at all. One at a time; of those asked for meanwhile the
// last state wins. Where a config is read from is its owner's affair.

import { type AcmeCertificates, AcmeConfigError, type AcmePlan } from '../acme/certificates.ts';
import { loadObject } from '../config/load.ts';
import { ConfigError, type Problem } from '../config/problems.ts';
import type { Config, ConfigInput } from '../config/types.ts';
import type { Edge } from '../edge/edge.ts';
import type { Snapshot } from '../edge/snapshot.ts';
import type { Slices } from '../limits/slices.ts';
import { changedPaths, restartObstacles } from './config-changes.ts';
import { EndedCheck } from './ended-sessions.ts';
import { BindError, type Listeners, type Move } from './listeners.ts';
import { LostPlaces } from './lost-places.ts';
import { sessionsCap } from './sessions-cap.ts';
import { planSnapshot } from './snapshot.ts';

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

export type Reloaded =
  | { readonly ok: true; readonly changed: readonly string[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export interface ReloadAsk {
  /** However many sessions it ends: see `reload.max_ended`. */
  readonly force?: boolean;
  /** Rejected for what it would end, it is tried again when that has become less. */
  readonly again?: boolean;
}

interface ReloadOptions {
  readonly edge: Edge;
  /** What grows with the config and with the sessions is done in these. */
  readonly slices: Slices;
  readonly listeners: Listeners;
  readonly acme: Pick<AcmeCertificates, 'prepare'>;
  /** Null when there is nothing to read again. */
  readonly source: ConfigSource | null;
  /** Where relative paths of a config object start, and what its problems call it. */
  readonly baseDir: string;
  readonly name: string;
  readonly openFiles: number;
  /** The new config is in force. */
  onApplied(config: Config): void;
}

export class Reloads {
  /** When the last one ended, in milliseconds since 1970, and how; null before the first. */
  last: { readonly at: number; readonly ok: boolean } | null = null;
  private readonly options: ReloadOptions;
  private tail: Promise<unknown> = Promise.resolve();
  /** Asked for, and not begun: whoever asks now gets what it will read. */
  private waiting: { readonly result: Promise<Reloaded>; ask: ReloadAsk } | null = null;
  private readonly endedCheck: EndedCheck;
  private readonly lostPlaces: LostPlaces;

  constructor(options: ReloadOptions) {
    const { edge, slices } = options;
    this.options = options;
    this.endedCheck = new EndedCheck({ edge, slices, tryAgain: () => this.reload(undefined, { again: true }) });
    this.lostPlaces = new LostPlaces(edge, slices);
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
    const { edge, listeners, slices, acme } = this.options;
    if (edge.draining) return this.refused('', 'framegate is draining');
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
    const plan = await slices.run(planSnapshot(config, edge.snapshot));
    if (ask.force !== true) {
      const tooMany = await this.endedCheck.refusal(plan, config.reload.max_ended, ask.again === true);
      if (tooMany !== null) return this.refused('reload.max_ended', tooMany);
    }
    const changed = await slices.run(changedPaths(before, config));
    let certificates: AcmePlan;
    try {
      certificates = await acme.prepare(config);
    } catch (error) {
      if (!(error instanceof AcmeConfigError)) throw error;
      return this.refused(error.path, error.message);
    }
    let move: Move;
    try {
      move = await listeners.prepare(config.listeners);
    } catch (error) {
      if (!(error instanceof BindError)) throw error;
      return this.refused(`listeners[${error.index}].address`, error.message);
    }
    if (edge.draining) {
      move.abort();
      return this.refused('', 'framegate is draining');
    }
    certificates.commit();
    this.apply(plan.commit(), cap.sessionsMax);
    read.accepted?.();
    move.commit();
    await slices.run(this.retune());
    return { ok: true, changed };
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

  private apply(snapshot: Snapshot, sessionsMax: number): void {
    const { edge, onApplied } = this.options;
    const { config } = snapshot;
    edge.apply(snapshot, sessionsMax);
    edge.log.retune(config.log);
    this.lostPlaces.letGo();
    onApplied(config);
  }

  /** Open sessions take on what their routes say now; those that begin meanwhile have it. */
  private *retune(): Generator<void> {
    for (const record of this.options.edge.sessions) {
      try {
        record.retune();
      } catch (error) {
        record.session.fail(error); // one session's fault must not leave half of a config in force
      }
      yield;
    }
  }

  private refused(path: string, message: string): Reloaded {
    return { ok: false, problems: [this.problem(path, message)] };
  }

  private problem(path: string, message: string): Problem {
    return { severity: 'error', file: this.options.name, line: null, column: null, path, message };
  }
}
