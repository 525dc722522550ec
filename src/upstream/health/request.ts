// What checks ask a target for: the request that those of types http and websocket have in common.

import type { CheckSettings, CheckTask } from './check.ts';

const USER_AGENT = 'framegate-check';

/** As it is written; else what sessions are sent to when they ask for `/`. */
export function askedPath({ target }: CheckTask, { path }: CheckSettings): string {
  if (path !== undefined) return path;
  return target.reach.base === '' ? '/' : target.reach.base;
}

/** Those of the config, and who asks where they do not say it. */
export function askedFields({ headers }: CheckSettings): readonly (readonly [name: string, value: string])[] {
  const own = Object.entries(headers);
  const isNamed = own.some(([name]) => name.toLowerCase() === 'user-agent');
  return isNamed ? own : [['User-Agent', USER_AGENT], ...own];
}

/** As sessions get it; what a client would have sent is the target's own here. */
export function askedHost({ target }: CheckTask, { host }: CheckSettings): string {
  return host ?? target.hostField(target.reach.authority);
}
