// Which parts an upstream has beside its targets and its policy. A further one is its file and its line.

import type { PartHost, UpstreamPart } from './part.ts';

/** None of them runs before its first `update`. */
export function partsOf(_host: PartHost): readonly UpstreamPart[] {
  return [];
}
