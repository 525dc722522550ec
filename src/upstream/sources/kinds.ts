// Which sources of targets an upstream has by its config. A further kind is its file here and its line.

import type { DiscoverConfig, UpstreamConfig } from '../../config/types.ts';
import { unreachable } from '../../unreachable.ts';
import type { UpstreamMeans } from '../means.ts';
import { ConfigSource } from './config.ts';
import { Discovery, type Finder } from './discovery.ts';
import { DnsFinder } from './dns.ts';
import { FileFinder } from './file.ts';
import type { TargetSource } from './target-source.ts';

/** None is started. Where two of them have a target of the same name, the first one's counts. */
export function sourcesOf(config: UpstreamConfig, means: UpstreamMeans): TargetSource[] {
  const listed = new ConfigSource(config.targets);
  const { discover } = config;
  return discover === null ? [listed] : [listed, new Discovery(config, finderOf(discover, config, means), means)];
}

function finderOf(discover: DiscoverConfig, { allow_addresses }: UpstreamConfig, means: UpstreamMeans): Finder {
  switch (discover.kind) {
    case 'dns':
      return new DnsFinder(discover, allow_addresses, means);
    case 'file':
      return new FileFinder(discover, means);
    default:
      return unreachable(discover);
  }
}
