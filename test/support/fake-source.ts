// A source of targets whose finds are the test's.

import type { TargetConfig } from '../../src/config/types.ts';
import type {
  Before,
  DiscoveryStatus,
  TargetListener,
  TargetSource,
} from '../../src/upstream/sources/target-source.ts';
import { targetConfig } from './upstreams.ts';

/** Finds targets while framegate runs, as a look-up of a name would. */
export class FakeSource implements TargetSource {
  readonly kind = 'fake';
  readonly initial: readonly TargetConfig[] | null;
  readonly before: Before[] = [];
  answeredAt: number | null = null;
  readonly settings: unknown;
  readonly log: string[];
  private listener: TargetListener | null = null;

  constructor(settings: unknown, log: string[], initial: readonly TargetConfig[] | null) {
    this.settings = settings;
    this.log = log;
    this.initial = initial;
  }

  get status(): DiscoveryStatus {
    return { kind: this.kind, targets: 0, answeredAt: this.answeredAt, failing: null };
  }

  start(listener: TargetListener, before: Before): void {
    this.log.push('start');
    this.before.push(before);
    this.listener = listener;
  }

  stop(): void {
    this.log.push('stop');
  }

  finds(...names: readonly string[]): void {
    this.says(names.map((name) => targetConfig(name)));
  }

  says(targets: readonly TargetConfig[]): void {
    this.listener?.onTargets(targets);
  }
}
