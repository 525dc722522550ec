// Owns the configs that need no file: `run --demo` and `run --to URL`.

import type { ConfigInput } from './types.ts';

/** Everything that comes to /echo on loopback is sent back. */
export const DEMO_CONFIG: ConfigInput = {
  listeners: [{ name: 'demo', address: '127.0.0.1:8080' }],
  routes: [{ name: 'echo', match: { path: '/echo' }, upstream: 'builtin:echo' }],
};

/** One listener, and every path to one backend. A missing address is the default of the schema. */
export function oneBackendConfig(url: string, listen: string | null): ConfigInput {
  return { listeners: [listen === null ? {} : { address: listen }], routes: [{ name: 'default', upstream: url }] };
}
