// Owns the keys that are known but not allowed where they stand: those of later versions, and global ones in a route.
// A version that brings a key takes it out of here.

import { limits } from './keys/limits.ts';
import type { Keys } from './keys/row.ts';
import { timeouts } from './keys/timeouts.ts';

/** What comes before the advice: a later version may have it. */
export const NOT_YET = 'this version of framegate does not have it';

const USE_FILE = 'let something write a file for discover.file';

/** By the block that holds them (list positions and names as `[]` and `*`): keys to come, and what to do until then. */
const LATER_KEYS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'upstreams.*.discover': { http: USE_FILE, eureka: USE_FILE, kubernetes: 'dns finds the pods of a headless service' },
};

/** Causes that end in no Close of ours, so that no code can be chosen; the names are the `reason` of the log. */
const NO_CODE: Readonly<Record<string, string>> = {
  client_close: "the client's own Close is relayed",
  backend_close: "the backend's Close is relayed as it is",
  client_lost: 'the client is gone',
  client_stalled: 'the client takes nothing more, its socket is destroyed',
  client_pong_timeout: 'the client is gone, its socket is destroyed',
  forced: 'both sockets are destroyed',
};

/** Why a key that exists somewhere is not allowed in this block, or null when no such key exists. */
export function misplacedKey(block: string, key: string): string | null {
  const own = block.replace(/^routes\[\]\.(limits|timeouts|close_codes)/, '$1');
  const later = Object.hasOwn(LATER_KEYS, own) ? LATER_KEYS[own] : undefined;
  if (later !== undefined && Object.hasOwn(later, key)) return `${NOT_YET}: ${later[key]}`;
  if (own === 'close_codes' && Object.hasOwn(NO_CODE, key))
    return `this cause has no close code to choose: ${NO_CODE[key]}`;
  if (block === own) return null;
  const keys: Keys = own === 'limits' ? limits : own === 'timeouts' ? timeouts : {};
  const isGlobal = Object.hasOwn(keys, key) && keys[key]?.scope === 'global';
  return isGlobal ? `is global: set it in the top-level ${own} block, not in a route` : null;
}
