// Which sources of targets an upstream has by its config. A further kind is its file here and its line.

import type { UpstreamConfig } from '../../config/types.ts';
import type { UpstreamMeans } from '../means.ts';
import { ConfigSource } from './config.ts';
import { Discovery } from './discovery.ts';
import { DnsFinder } from './dns.ts';
import type { TargetSource } from './target-source.ts';

/** None is started. Where two of them have a target of the same name, the first one's counts. */
export function sourcesOf(config: UpstreamConfig, means: UpstreamMeans): TargetSource[] {
  const listed = new ConfigSource(config.targets);
  const { discover, allow_addresses } = config;
  if (discover?.kind !== 'dns') return [listed];
  return [listed, new Discovery(config, new DnsFinder(discover, allow_addresses, means), means)];
}
