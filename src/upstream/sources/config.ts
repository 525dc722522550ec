// The targets that the config lists. They change with it only: a reload brings another source.

import type { TargetConfig } from '../../config/types.ts';
import type { TargetSource } from './target-source.ts';

export class ConfigSource implements TargetSource {
  readonly kind = 'config';
  readonly status = null;
  readonly settings: readonly TargetConfig[];
  readonly initial: readonly TargetConfig[];

  constructor(targets: readonly TargetConfig[]) {
    this.settings = targets;
    this.initial = targets;
  }

  start(): void {}

  stop(): void {}
}
