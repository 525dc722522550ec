// Configs with API keys that end, and sessions by them, on a rig without sockets.

import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import type { SessionRecord } from '../../src/edge/session-record.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import { type Rig, SWITCHED, WALL_AT_START } from '../edge/rig.ts';
import type { MemoryTransport } from './memory-transport.ts';
import { upgradeRequest } from './wire.ts';

/** When a rig begins, by its wall clock. */
const BEGIN = WALL_AT_START + 1_000_000;

/** Names, and how long after the beginning they end; null: never. */
type Keys = { readonly [name: string]: number | null };
interface Method {
  readonly bind?: 'on' | 'off';
  readonly grace?: string;
}

export function configOf(keys: Keys, method: Method = {}, over: Partial<ConfigInput> = {}): Partial<ConfigInput> {
  const entries = Object.entries(keys).map(([name, ms]) => ({
    name,
    sha256: createHash('sha256').update(`key-of-${name}`).digest('hex'),
    ...(ms === null ? {} : { expires: new Date(BEGIN + ms).toISOString() }),
  }));
  return {
    listeners: [{ name: 'in' }],
    auth: { keys: { api_key: { keys: entries, ...method } } },
    routes: [{ name: 'echo', match: { path: '/echo' }, upstream: 'one', auth: ['keys'] }],
    upstreams: { one: { targets: [{ name: 'a', url: 'ws://192.0.2.1:1' }] } },
    timeouts: { idle: 'off', lifetime: 'off', client_ping_interval: 'off', backend_ping_interval: 'off', open: '1h' },
    ...over,
  };
}

export function ask(rig: Rig, name: string): MemoryTransport {
  return rig.connect(upgradeRequest({ path: '/echo', headers: [['X-API-Key', `key-of-${name}`]] }));
}

export async function open(rig: Rig, name: string): Promise<SessionRecord> {
  const { length } = rig.backends;
  const client = ask(rig, name);
  await rig.switchBackend(length);
  expect(await rig.answer(client)).toBe(SWITCHED);
  return [...rig.edge.sessions].at(-1) as SessionRecord; // it was answered
}
