// What checks ask a target for: the request that those of types http and websocket have in common.

import type { CheckSettings, CheckTask } from './check.ts';

export const USER_AGENT = 'framegate-check';

/** As it is written; else what sessions are sent to when they ask for `/`. */
export function askedPath({ target }: CheckTask, { path }: CheckSettings): string {
  if (path !== undefined) return path;
  return target.reach.base === '' ? '/' : target.reach.base;
}

/** As sessions get it; what a client would have sent is the target's own here. */
export function askedHost({ target }: CheckTask, { host }: CheckSettings): string {
  return host ?? target.hostField(target.reach.authority);
}
