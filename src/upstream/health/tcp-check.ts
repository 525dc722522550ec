// The check of type tcp: that there is a connection, TLS included, is all of it.

import { leave } from '../../net/leaving.ts';
import type { Check } from './check.ts';

export const tcpCheck: Check = async ({ clock, wheel, signal }, _settings, transport) => {
  return { left: leave({ transport, wheel, now: clock.now(), signal, afterPeer: false }) };
};
