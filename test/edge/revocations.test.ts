// Which credentials a revocation refuses, and for how long; how many there may be; what is left after a restart.

import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { AuthConfig } from '../../src/config/types.ts';
import type { Standing } from '../../src/edge/auth/method.ts';
import { Revocations, RevocationsFull } from '../../src/edge/auth/revocations.ts';
import { FakeClock } from '../support/fake-clock.ts';

const NOW = Date.UTC(2026, 0, 1);
const SECOND = 1_000;
const DAY = 86_400 * SECOND;

const JWT = { kind: 'jwt', name: 'm' } as AuthConfig;
const SERVICE = { kind: 'introspection', name: 'm' } as AuthConfig;
const keys = (...entries: readonly (readonly [name: string, sha256: string])[]) =>
  ({ kind: 'api_key', name: 'm', keys: entries.map(([name, sha256]) => ({ name, sha256 })) }) as unknown as AuthConfig;
const users = (name: string, password: string) =>
  ({ kind: 'basic', name: 'm', users: [{ name, password }] }) as unknown as AuthConfig;

const grant = (own: Partial<Standing> = {}): Standing => ({
  ...{ auth: 'm', identity: 'acme', key: null, entry: null, jti: null, issuedAt: NOW - DAY, expiresAt: Infinity },
  ...own,
});
const keyGrant = (name: string, sha256: string) => grant({ identity: name, key: name, entry: sha256, issuedAt: null });

class World {
  readonly clock = new FakeClock();
  readonly told: unknown[] = [];
  wall = NOW;
  readonly revocations: Revocations;

  constructor(max?: number) {
    const log = { event: (_: string, event: string, fields: object) => this.told.push([event, fields]) };
    const means = { clock: this.clock, wallNow: () => this.wall, log } as never;
    this.revocations = max === undefined ? new Revocations(means) : new Revocations(means, max);
  }

  add(kind: 'identity' | 'key' | 'jti' | 'all', value: string, config: AuthConfig, until = NOW + DAY): Promise<void> {
    return this.revocations.add({ auth: 'm', kind, value }, until, config, () => {});
  }

  refuses(one: Standing, config: AuthConfig, judgedAt = this.clock.now() + 1): boolean {
    return this.revocations.refuses(one, config, judgedAt);
  }
}

function folder(): string {
  const made = mkdtempSync(path.join(tmpdir(), 'fg-revoked-'));
  onTestFinished(() => rmSync(made, { recursive: true }));
  return made;
}

const fileIn = (dir: string) => path.join(dir, 'revocations.jsonl');

describe('what is refused', () => {
  test('a token of that identity, issued at that moment or before, or nobody knows when', async () => {
    const world = new World();
    await world.add('identity', 'acme', JWT);
    const refused = (own: Partial<Standing>) => world.refuses(grant(own), JWT);
    expect([NOW - 1, NOW, null, NOW + 1].map((issuedAt) => refused({ issuedAt }))).toEqual([true, true, true, false]);
    expect([{ identity: 'other' }, { identity: null }, { auth: 'n' }].map(refused)).toEqual([false, false, false]);
  });

  test('a token by its jti, whenever it says that it was issued', async () => {
    const world = new World();
    await world.add('jti', 'a', JWT);
    expect([{ jti: 'a', issuedAt: NOW + DAY }, { jti: 'b' }, {}].map((own) => world.refuses(grant(own), JWT))).toEqual([
      true,
      false,
      false,
    ]);
  });

  test('all of a method', async () => {
    const world = new World();
    await world.add('all', '', JWT);
    expect([grant(), grant({ identity: null }), grant({ auth: 'n' })].map((one) => world.refuses(one, JWT))).toEqual([
      true,
      true,
      false,
    ]);
  });

  test('a key until a reload brings another one of its name; by identity as by key', async () => {
    for (const kind of ['key', 'identity'] as const) {
      const world = new World();
      await world.add(kind, 'acme', keys(['acme', 'old'], ['acme', 'older'], ['other', 'x']));
      const next = keys(['acme', 'old'], ['acme', 'new'], ['other', 'x']);
      const refused = [
        ['acme', 'old'],
        ['acme', 'older'],
        ['acme', 'new'],
        ['other', 'x'],
      ] as const;
      expect(refused.map(([name, sha256]) => world.refuses(keyGrant(name, sha256), next))).toEqual([
        true,
        true,
        false,
        false,
      ]);
    }
  });

  test('all keys that there were, and none that come later', async () => {
    const world = new World();
    await world.add('all', '', keys(['acme', 'old']));
    const next = keys(['acme', 'old'], ['late', 'x']);
    expect([keyGrant('acme', 'old'), keyGrant('late', 'x')].map((one) => world.refuses(one, next))).toEqual([
      true,
      false,
    ]);
  });

  test('a name that the config did not have, whatever comes under it', async () => {
    const world = new World();
    await world.add('key', 'gone', keys(['acme', 'old']));
    expect(world.refuses(keyGrant('gone', 'x'), keys(['gone', 'x']))).toBe(true);
  });

  test('a user until a reload brings another password', async () => {
    const world = new World();
    await world.add('identity', 'acme', users('acme', 'one'));
    const one = grant({ key: 'acme', entry: 'made by the method', issuedAt: null });
    expect(['one', 'two', 'one'].map((password) => world.refuses(one, users('acme', password)))).toEqual([
      true,
      false,
      true,
    ]);
  });

  test('revoked twice, what each refused', async () => {
    const world = new World();
    await world.add('key', 'acme', keys(['acme', 'one']), NOW + 2 * DAY);
    await world.add('key', 'acme', keys(['acme', 'two']), NOW + DAY);
    world.wall = NOW + 2 * DAY - 1;
    const config = keys(['acme', 'one'], ['acme', 'two'], ['acme', 'three']);
    expect(['one', 'two', 'three'].map((entry) => world.refuses(keyGrant('acme', entry), config))).toEqual([
      true,
      true,
      false,
    ]);
    expect(world.revocations.size).toBe(1);
  });

  test('of a service what was asked before: it is asked anew', async () => {
    const world = new World();
    await world.add('identity', 'acme', SERVICE);
    const now = world.clock.now();
    expect([now - 1, now, now + 1].map((at) => world.refuses(grant(), SERVICE, at))).toEqual([true, true, false]);
  });

  test('until its time is over, and then it is let go', async () => {
    const world = new World();
    await world.add('identity', 'acme', JWT, NOW + DAY);
    world.wall = NOW + DAY - 1;
    expect(world.refuses(grant(), JWT)).toBe(true);
    world.wall = NOW + DAY;
    expect([world.refuses(grant(), JWT), world.revocations.size]).toEqual([false, 1]);
    world.wall = NOW + DAY + 60 * SECOND;
    expect(world.revocations.size).toBe(0);
  });

  test('longer when it is revoked again, and is let go after a wall clock was set, too', async () => {
    const world = new World();
    await world.add('identity', 'acme', JWT, NOW + 60 * SECOND);
    await world.add('identity', 'acme', JWT, NOW + 600 * SECOND);
    world.wall = NOW + 300 * SECOND;
    expect([world.refuses(grant(), JWT), world.revocations.size]).toEqual([true, 1]);
    world.wall = NOW + 7_200 * SECOND;
    expect(world.revocations.size).toBe(0);
    // Set back: what ends in minutes that were swept already has one to come.
    world.wall = NOW;
    await world.add('identity', 'acme', JWT, NOW + 60 * SECOND);
    expect(world.refuses(grant(), JWT)).toBe(true);
    world.wall = NOW + 7_260 * SECOND;
    expect(world.revocations.size).toBe(0);
  });
});

test('above so many one more is refused, and none forgotten; what has run out makes room', async () => {
  const world = new World(2);
  await world.add('jti', 'a', JWT, NOW + SECOND);
  await world.add('jti', 'b', JWT);
  await expect(world.add('jti', 'c', JWT)).rejects.toThrow(RevocationsFull);
  await world.add('jti', 'b', JWT);
  expect(['a', 'b', 'c'].map((jti) => world.refuses(grant({ jti }), JWT))).toEqual([true, true, false]);
  world.wall = NOW + 120 * SECOND;
  await world.add('jti', 'c', JWT);
  expect(['a', 'b', 'c'].map((jti) => world.refuses(grant({ jti }), JWT))).toEqual([false, true, true]);
});

describe('in a folder', () => {
  async function opened(dir: string): Promise<World> {
    const world = new World();
    onTestFinished(() => world.revocations.close());
    await world.revocations.open(dir);
    return world;
  }

  test('it counts after a restart, for the own user only, and without a byte of a key', async () => {
    const dir = folder();
    const first = await opened(dir);
    expect(first.revocations.isDurable).toBe(true);
    await first.add('key', 'acme', keys(['acme', 'digest-of-a-key']));
    await first.add('identity', 'acme', JWT, NOW + SECOND);
    expect(statSync(fileIn(dir)).mode & 0o777).toBe(0o600);
    expect(readFileSync(fileIn(dir), 'utf8')).not.toContain('digest-of-a-key');
    const next = await opened(dir);
    expect(next.refuses(keyGrant('acme', 'digest-of-a-key'), keys(['acme', 'digest-of-a-key']))).toBe(true);
    expect([next.refuses(grant(), JWT), next.told]).toEqual([true, []]);
  });

  test('what has run out is not read again', async () => {
    const dir = folder();
    await (await opened(dir)).add('identity', 'acme', JWT, NOW - 1);
    expect((await opened(dir)).revocations.size).toBe(0);
  });

  test('no file yet is none, and no folder a reason not to begin: what it holds would be good again', async () => {
    const dir = folder();
    expect((await opened(dir)).revocations.size).toBe(0);
    const world = new World();
    await expect(world.revocations.open(path.join(dir, 'not-there'))).rejects.toThrow('ENOENT');
    expect(world.revocations.isDurable).toBe(false);
  });

  test('a last line that was cut off is dropped with a warning; the next one makes the file whole', async () => {
    const dir = folder();
    const first = await opened(dir);
    await first.add('jti', 'a', JWT);
    await first.add('jti', 'b', JWT);
    truncateSync(fileIn(dir), statSync(fileIn(dir)).size - 9);
    const next = await opened(dir);
    expect(next.told).toEqual([['revocations.broken', { file: fileIn(dir), line: 2 }]]);
    expect(['a', 'b'].map((jti) => next.refuses(grant({ jti }), JWT))).toEqual([true, false]);
    await next.add('jti', 'c', JWT);
    const last = await opened(dir);
    expect(last.told).toEqual([]);
    expect(['a', 'b', 'c'].map((jti) => last.refuses(grant({ jti }), JWT))).toEqual([true, false, true]);
  });

  test('a broken line before others is no reason to go on without it', async () => {
    const dir = folder();
    await (await opened(dir)).add('jti', 'a', JWT);
    const [line = ''] = readFileSync(fileIn(dir), 'utf8').split('\n');
    writeFileSync(fileIn(dir), `${line}\n{"auth":1}\n${line}\n`);
    await expect(opened(dir)).rejects.toThrow('line 2 of');
  });

  test('what cannot be written does not count, and what comes then does', async () => {
    const dir = path.join(folder(), 'gone');
    mkdirSync(dir);
    const world = await opened(dir);
    rmSync(dir, { recursive: true });
    await expect(world.add('jti', 'a', JWT)).rejects.toThrow('ENOENT');
    expect([world.refuses(grant({ jti: 'a' }), JWT), world.revocations.size]).toEqual([false, 0]);
    mkdirSync(dir);
    await world.add('jti', 'b', JWT);
    expect(world.refuses(grant({ jti: 'b' }), JWT)).toBe(true);
    expect((await opened(dir)).refuses(grant({ jti: 'b' }), JWT)).toBe(true);
  });

  test('a file that has grown with what counts no longer is written anew', async () => {
    const dir = folder();
    await (await opened(dir)).add('jti', 'a', JWT);
    const line = readFileSync(fileIn(dir), 'utf8');
    appendFileSync(fileIn(dir), line.repeat(1_100));
    const world = await opened(dir);
    await world.add('jti', 'b', JWT);
    await world.revocations.close();
    expect(readFileSync(fileIn(dir), 'utf8').trim().split('\n')).toHaveLength(2);
    expect((await opened(dir)).revocations.size).toBe(2);
  });
});
