// The checks that an upstream makes of its targets by itself, as its config says now. Each target has its own, which
// stay with it as long as it is there.

import { isDeepStrictEqual } from 'node:util';
import type { PartHost, UpstreamPart } from '../part.ts';
import type { Target } from '../target.ts';
import type { CheckSettings } from './check.ts';
import { TargetChecks } from './target-checks.ts';

export class ActiveChecks implements UpstreamPart {
  private readonly host: PartHost;
  private settings: CheckSettings | null = null;
  /** One for each target of the upstream, at most. */
  private readonly byTarget = new Map<Target, TargetChecks>();

  constructor(host: PartHost) {
    this.host = host;
  }

  update(): void {
    const { config, targets } = this.host;
    const { active } = config.health;
    const settings = active === 'off' ? null : active;
    const isSame = isDeepStrictEqual(settings, this.settings);
    this.settings = settings;
    const checked = new Set(settings === null ? [] : targets.filter(isOutside));
    for (const [target, checks] of this.byTarget) {
      if (checked.has(target)) continue;
      this.byTarget.delete(target);
      if (target.gone) checks.stop();
      else checks.forget();
    }
    if (settings === null) return;
    for (const target of checked) {
      const known = this.byTarget.get(target);
      if (known === undefined) this.begin(target, settings);
      else if (!isSame) known.retune(settings);
    }
  }

  stop(): void {
    for (const checks of this.byTarget.values()) checks.stop();
    this.byTarget.clear();
  }

  private begin(target: Target, settings: CheckSettings): void {
    const checks = new TargetChecks(this.host, target, settings);
    this.byTarget.set(target, checks);
    checks.begin();
  }
}

/** What answers in this process is there as long as it is. */
function isOutside({ endpoint }: Target): boolean {
  return endpoint.kind !== 'echo';
}
