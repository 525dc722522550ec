// Which sources of targets an upstream has by its config. A further kind is its file here and its line.

import type { UpstreamConfig } from '../../config/types.ts';
import { ConfigSource } from './config.ts';
import type { TargetSource } from './target-source.ts';

/** None is started. Where two of them have a target of the same name, the first one's counts. */
export function sourcesOf(config: UpstreamConfig): TargetSource[] {
  return [new ConfigSource(config.targets)];
}
