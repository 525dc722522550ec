// Where a connection of a test comes in: the first listener of a config, without a socket of its own.

import type { Config } from '../../src/config/types.ts';
import { LiveListener } from '../../src/edge/arrival.ts';

export function arrivalOf(config: Config, port = 0): LiveListener {
  const [listener] = config.listeners;
  if (listener === undefined) throw new Error('a config has a listener');
  return new LiveListener(listener, port);
}
