// Which sources an upstream has by its config. A further kind is its file here and its line.

import type { UpstreamConfig } from '../../config/types.ts';
import { ConfigSource } from './config.ts';
import type { TargetSource } from './target-source.ts';

/** Not started yet: nothing happens until then. Where two name a target alike the earlier one counts. */
export function sourcesOf(config: UpstreamConfig): TargetSource[] {
  return [new ConfigSource(config.targets)];
}
