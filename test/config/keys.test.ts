// The rows of the keys: what is declared of each goes together, and what grows from it is what it says.

import { describe, expect, test } from 'vitest';
import { config } from '../../src/config/keys/config.ts';
import { limits } from '../../src/config/keys/limits.ts';
import { overrides } from '../../src/config/keys/overrides.ts';
import type { Keys, Row } from '../../src/config/keys/row.ts';
import { timeouts } from '../../src/config/keys/timeouts.ts';
import { isScalar, printScalar, scalarSchema } from '../../src/config/kinds.ts';
import { loaded } from './loading.ts';

function* rowsOf(keys: Keys, path = ''): Generator<{ path: string; row: Row }> {
  for (const [key, row] of Object.entries(keys)) {
    yield { path: `${path}${key}`, row };
    if (row.kind === 'block') yield* rowsOf(row.keys, `${path}${key}.`);
    if (row.kind === 'named' && row.of.kind === 'block') yield* rowsOf(row.of.keys, `${path}${key}.*.`);
    if (row.kind === 'list' && row.of.kind === 'block') yield* rowsOf(row.of.keys, `${path}${key}[].`);
  }
}

const rows = [...rowsOf(config)];
const defaults = rows.filter(({ row }) => isScalar(row) && row.default !== undefined);

test.each(defaults)('the default of $path, read and written again, is itself', ({ row }) => {
  if (!isScalar(row)) throw new Error('not a scalar');
  // What the schema of a row gives is what its kind prints.
  expect(printScalar(row, scalarSchema(row).parse(row.default) as never)).toEqual(canonical(row.default));
});

/** 60s is written as 1m. */
function canonical(value: unknown): unknown {
  return value === '60s' ? '1m' : value === '0s' ? '0ms' : value;
}

test('a key that follows another one names a key of its block that follows none', () => {
  const blocks: readonly Keys[] = [limits, limits.from_client.keys, limits.from_backend.keys, timeouts];
  const followed = blocks.flatMap((keys) =>
    Object.values(keys).flatMap(({ follows }) => (follows === undefined ? [] : [keys[follows.key]])),
  );
  expect(followed.length).toBeGreaterThan(0);
  for (const row of followed) expect(row).toMatchObject({ says: expect.any(String) });
  for (const row of followed) expect(row?.follows).toBeUndefined();
});

test('only what no route overrides is marked (global) or says what it is in a route', () => {
  for (const [key, row] of Object.entries<Row>({ ...limits, ...timeouts })) {
    expect(/\bIn a route: /.test(row.says), key).toBe(row.scope === 'both');
  }
});

describe('overrides', () => {
  test('have every key but the global ones, and no default', () => {
    const own: Keys = overrides(limits);
    const allowed = Object.entries<Row>(limits).flatMap(([key, { scope }]) => (scope === 'global' ? [] : [key]));
    expect(Object.keys(own)).toEqual(allowed);
    for (const { path, row } of rowsOf(own)) {
      if (row.kind !== 'block') expect(row, path).not.toHaveProperty('default');
    }
  });

  test('a route that says nothing of a block shares the top-level one', () => {
    const {
      limits: whole,
      timeouts: waits,
      routes,
    } = loaded(`
limits: { max_buffered: 1MiB }
routes:
  - { match: { path: /a }, upstream: "builtin:echo", limits: { max_sessions: 5 } }
  - match: { path: /b }
    upstream: "builtin:echo"
    limits: { from_client: { message_burst: 5, messages_per_second: 1 } }
`);
    expect(routes[0]?.limits).toBe(whole);
    expect(routes[0]?.own_max_sessions).toBe(5);
    expect(routes[0]?.timeouts).toBe(waits);
    expect(routes[1]?.limits).not.toBe(whole);
    expect(routes[1]?.limits.from_backend).toBe(whole.from_backend);
    expect(routes[1]?.limits).toEqual({
      ...whole,
      from_client: { ...whole.from_client, message_burst: 5, messages_per_second: 1 },
    });
  });
});
