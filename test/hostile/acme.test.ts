// Certificates by themselves when authorities, files, clocks and other processes are against it: the last good one is
// served on, nobody is asked too often, and the log says what to do.

import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { FolderLock } from '../../src/acme/folder-lock.ts';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import { ServiceError } from '../../src/services/service-client.ts';
import { FakeAuthority } from '../acme/fake-authority.ts';
import { AcmeRig, newFolder } from '../acme/rig.ts';
import { FakeClock } from '../support/fake-clock.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const withoutTls = {
  newNonce: 'http://ca.test/nonce',
  newAccount: 'http://ca.test/account',
  newOrder: 'http://ca.test/new',
};

const down = () => {
  throw new ServiceError('backend_unreachable ECONNREFUSED');
};

/** A rig that has a certificate. */
async function served(): Promise<{ rig: AcmeRig; first: unknown; settings: Awaited<ReturnType<AcmeRig['start']>> }> {
  const rig = new AcmeRig();
  const settings = await rig.start();
  await rig.untilLogged('acme.obtained');
  await rig.untilKept();
  return { rig, settings, first: rig.served(settings) };
}

describe('an authority', () => {
  test('G42: that is down is asked less and less often, and the last good one is served on', async () => {
    const { rig, settings, first } = await served();
    rig.authority.instead = down;
    await rig.pass(60 * DAY_MS);
    expect(await rig.untilLogged('acme.failed')).toMatchObject({
      level: 'error',
      fault: 'unreachable',
      cause: expect.stringContaining('ECONNREFUSED'),
      do: expect.stringContaining('ca.test'),
      failures: 1,
    });
    for (let failures = 2; failures <= 9; failures += 1) await rig.untilLogged('acme.failed', failures);
    const waits = rig
      .logsOf('acme.failed')
      .map(({ time, next_try }) => (Date.parse(String(next_try)) - Date.parse(time)) / MINUTE_MS);
    expect(waits).toEqual([1, 3, 9, 27, 81, 243, 720, 720, 720]);
    expect(rig.served(settings)).toBe(first);
    rig.authority.instead = () => undefined;
    await rig.untilLogged('acme.obtained', 2);
    expect(rig.served(settings)).not.toBe(first);
  });

  test.each([
    ['another page', { status: 200, body: '<html>' }],
    ['a redirect', { status: 302, headers: { location: 'https://evil.test/' } }],
    ['URLs without TLS', { body: withoutTls }],
    ['no URLs', { body: {} }],
    ['an error without a body', { status: 500 }],
  ])('G42: that answers with %s ends the try, and nothing else', async (_, reply) => {
    const rig = new AcmeRig();
    rig.authority.instead = (where) => (where === '/directory' ? reply : undefined);
    const settings = await rig.start();
    const { do: todo, cause } = await rig.untilLogged('acme.failed');
    expect(todo).not.toBe('');
    expect(cause).not.toBe('');
    expect(rig.served(settings)).toBe(null);
    expect(rig.authority.orders).toEqual([]);
  });

  test('G42: that says nothing more is given up after ten minutes', async () => {
    const rig = new AcmeRig();
    rig.authority.instead = (where) =>
      where.startsWith('/order') ? { body: { status: 'processing', authorizations: [], finalize: '' } } : undefined;
    await rig.start();
    const begun = rig.clock.now();
    expect(await rig.untilLogged('acme.failed')).toMatchObject({ fault: 'late' });
    expect(rig.clock.now() - begun).toBeGreaterThanOrEqual(10 * MINUTE_MS);
    expect(rig.clock.now() - begun).toBeLessThan(11 * MINUTE_MS);
  });

  test('G43: that has had too many orders is left alone for as long as it says, also by the next process', async () => {
    const rig = new AcmeRig();
    const limited = FakeAuthority.problem(429, 'rateLimited', 'too many', { 'retry-after': '86400' });
    rig.authority.instead = (where) => (where === '/new' ? limited : undefined);
    await rig.start();
    expect(await rig.untilLogged('acme.failed')).toMatchObject({
      fault: 'rate_limited',
      do: expect.stringContaining('wait'),
    });
    await rig.pass(12 * HOUR_MS);
    expect(rig.authority.count('/new')).toBe(1);
    await rig.stop();
    const next = new AcmeRig(rig.folder);
    next.wallOffset = rig.wallNow() - next.clock.now();
    await next.start();
    await next.pass(11 * HOUR_MS);
    expect(next.authority.asked).toEqual([]);
    await next.pass(2 * HOUR_MS);
    await next.untilLogged('acme.obtained');
  });

  test('G43: a wait is over when what was asked for is another, and not when it is the same', async () => {
    const rig = new AcmeRig();
    const limited = FakeAuthority.problem(429, 'rateLimited', 'too many', { 'retry-after': '86400' });
    rig.authority.instead = (where) => (where === '/new' ? limited : undefined);
    await rig.start();
    await rig.untilLogged('acme.failed');
    rig.authority.instead = () => undefined;
    await rig.reload();
    await rig.pass(HOUR_MS);
    expect(rig.authority.count('/new')).toBe(1);
    await rig.reload({ email: 'ops@a.test' });
    await rig.untilLogged('acme.obtained');
  });

  test('G49: that sees no proof is quoted in printable characters, and its order forgotten', async () => {
    const rig = new AcmeRig();
    rig.authority.live = {
      ...rig.certificates,
      answerFor: () => null,
      challengeFor: () => null,
      current: () => null,
      renewals: () => [],
    };
    await rig.start();
    expect(await rig.untilLogged('acme.failed')).toMatchObject({
      fault: 'challenge',
      cause: 'a.test: no proof  [31m there',
      do: expect.stringContaining('port 80'),
    });
    rig.authority.live = rig.certificates;
    await rig.untilLogged('acme.obtained');
    expect(rig.authority.orders).toHaveLength(2);
  });

  test.each([
    ['for other names', (rig: AcmeRig) => Object.assign(rig.authority, { names: ['b.test'] })],
    ['that is none', (rig: AcmeRig) => Object.assign(rig.authority, { instead: garbage })],
  ])('G49: that gives a certificate %s: it is not served', async (_, break_) => {
    const { rig, settings, first } = await served();
    break_(rig);
    await rig.pass(60 * DAY_MS);
    expect(await rig.untilLogged('acme.failed')).toMatchObject({ fault: 'bad_certificate' });
    expect(rig.served(settings)).toBe(first);
    Object.assign(rig.authority, { names: null, instead: () => undefined });
    await rig.untilLogged('acme.obtained', 2);
    // Another order: the same would give the same.
    expect(rig.authority.orders).toHaveLength(3);
  });

  const garbage = (where: string) => (where.startsWith('/cert') ? { body: '-----BEGIN NOTHING-----' } : undefined);
});

describe('the folder', () => {
  test('G44: that cannot be made or written is told before anything is ordered', async () => {
    const rig = new AcmeRig();
    writeFileSync(path.join(rig.folder, 'file'), '');
    const dir = path.join(rig.folder, 'file', 'below');
    await expect(rig.reload({ dir })).rejects.toMatchObject({
      name: 'AcmeConfigError',
      path: 'listeners[0].tls.certificates[0].acme.dir',
      message: expect.stringContaining('ENOTDIR'),
    });
    expect(rig.authority.asked).toEqual([]);
  });

  test('G44: that is there and takes no file is told so, too, whoever we are', async () => {
    const rig = new AcmeRig();
    symlinkSync('/proc/self/task', path.join(rig.folder, 'challenges'));
    await expect(rig.reload()).rejects.toMatchObject({
      name: 'AcmeConfigError',
      message: expect.stringContaining('cannot be written'),
    });
  });

  test('G44: without a dir and STATE_DIRECTORY there is none to keep it in', async () => {
    const rig = new AcmeRig();
    const config = rig.config();
    const [listener] = config.listeners;
    const one = { ...listener?.tls?.acme[0], dir: null };
    const tls = { ...listener?.tls, acme: [one] };
    const without = { ...config, listeners: [{ ...listener, tls }] } as typeof config; // as one that says no dir
    await expect(rig.certificates.prepare(without)).rejects.toThrow('is required where there is no STATE_DIRECTORY');
  });

  test('G44: that goes away under it takes nothing away: what is served stays, and is told once a try', async () => {
    const { rig, settings, first } = await served();
    renameSync(rig.folder, `${rig.folder}.gone`);
    writeFileSync(rig.folder, 'no folder');
    await rig.pass(HOUR_MS);
    const told = rig.logsOf('acme.failed');
    expect(told[0]).toMatchObject({ fault: 'storage', do: expect.stringContaining(rig.folder) });
    expect(told.length).toBeLessThanOrEqual(5);
    expect(rig.served(settings)).toBe(first);
    rmSync(rig.folder);
    renameSync(`${rig.folder}.gone`, rig.folder);
    await rig.pass(61 * DAY_MS);
    await rig.untilLogged('acme.obtained', 2);
  });

  test('G44: a file that is cut is not taken: it is ordered anew, or the last good one stays', async () => {
    const { rig, settings, first } = await served();
    const [name = ''] = rig.files().filter((one) => one.endsWith('.pem'));
    const file = path.join(rig.folder, name);
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.slice(0, text.length / 2));
    expect(await rig.untilLogged('acme.failed')).toMatchObject({ fault: 'storage', serves_until: expect.any(String) });
    expect(rig.served(settings)).toBe(first);
    await rig.stop();
    const next = new AcmeRig(rig.folder);
    const again = await next.start();
    expect(next.served(again)).toBe(null);
    await next.untilLogged('acme.obtained');
  });

  test('G44: what is kept is for the own user alone, whatever the umask', async () => {
    const old = process.umask(0);
    try {
      const folder = path.join(newFolder(), 'made');
      const rig = new AcmeRig(folder);
      await rig.start();
      await rig.untilLogged('acme.obtained');
      expect(statSync(folder).mode & 0o777).toBe(0o700);
      for (const name of rig.files()) {
        expect([name, statSync(path.join(folder, name)).mode & 0o077]).toEqual([name, 0]);
      }
    } finally {
      process.umask(old);
    }
  });
});

describe('clocks', () => {
  test.each([
    ['a year ahead', 365 * DAY_MS],
    ['a year back', -365 * DAY_MS],
  ])('G45: a wall clock that is %s of the authority does not order again and again', async (_, off) => {
    const rig = new AcmeRig();
    rig.authority.now = () => rig.wallNow() - off;
    await rig.start();
    const { level, do: todo } = await rig.untilLogged('acme.obtained');
    expect([level, todo]).toEqual(['warn', expect.stringContaining('set the clock')]);
    await rig.pass(30 * DAY_MS);
    expect(rig.authority.orders).toHaveLength(1);
    // It is renewed in time all the same.
    await rig.pass(31 * DAY_MS);
    await rig.untilLogged('acme.obtained', 2);
  });

  test('G45: a wall clock that jumps ahead brings the renewal forward, one that jumps back nothing', async () => {
    const { rig } = await served();
    rig.wallOffset -= 200 * DAY_MS;
    await rig.pass(10 * DAY_MS);
    expect(rig.authority.orders).toHaveLength(1);
    rig.wallOffset += 255 * DAY_MS;
    await rig.pass(10 * MINUTE_MS);
    await rig.untilLogged('acme.obtained', 2);
  });
});

describe('other processes', () => {
  test('G46: of two with one folder one orders, and both serve what it got', async () => {
    const authority = new FakeAuthority();
    const one = new AcmeRig(newFolder(), authority);
    const two = new AcmeRig(one.folder, authority);
    const settings = await one.start();
    await two.start();
    const both = [one, two];
    await one.until(() => both.every((rig) => rig.served(settings) !== null), [two]);
    expect(authority.orders).toHaveLength(1);
    expect(both.flatMap((rig) => rig.logsOf('acme.obtained').map(({ by }) => by)).sort()).toEqual([
      'another process',
      'this process',
    ]);
  });

  test("G46: a lock is one process's until it gives it back, is gone, or shows no sign for a minute", async () => {
    const folder = newFolder();
    const [one, two] = [lockOf(folder), lockOf(folder)];
    expect(await one.lock.take(() => undefined)).toBe(true);
    expect(await two.lock.take(() => undefined)).toBe(false);
    await one.lock.release();
    let lost = 0;
    expect(await two.lock.take(() => (lost += 1))).toBe(true);
    // It is not driven any more, as one that is stopped: nobody can tell it from one on a machine that has gone.
    expect(await one.lock.take(() => undefined)).toBe(false);
    one.clock.advance(59_999);
    expect(await one.lock.take(() => undefined)).toBe(false);
    one.clock.advance(1);
    const own = path.join(folder, 'lock-2');
    const text = readFileSync(own, 'utf8');
    expect(await one.lock.take(() => undefined)).toBe(true);
    // Also where its file could not be taken away.
    writeFileSync(own, text);
    // It wakes up, and sees that it has lost it.
    await two.advance(10_000, () => lost > 0);
    expect(lost).toBe(1);
    expect(await two.lock.take(() => undefined)).toBe(false);
  });

  test('G46: who shows that it is there keeps it for as long as it takes', async () => {
    const folder = newFolder();
    const [one, two] = [lockOf(folder), lockOf(folder)];
    expect(await one.lock.take(() => undefined)).toBe(true);
    for (let beat = 0; beat < 20; beat += 1) {
      const before = readFileSync(path.join(folder, 'lock-1'), 'utf8');
      await one.advance(10_000, () => readFileSync(path.join(folder, 'lock-1'), 'utf8') !== before);
      two.clock.advance(10_000);
      expect(await two.lock.take(() => undefined)).toBe(false);
    }
  });

  test('G46: a lock of a process of this machine that has ended is none', async () => {
    const folder = newFolder();
    const one = lockOf(folder);
    expect(await one.lock.take(() => undefined)).toBe(true);
    const file = path.join(folder, 'lock-1');
    const text = readFileSync(file, 'utf8');
    // The number is in use, but by a process that began at another time.
    writeFileSync(file, text.replace(/"since":"\d+"/, '"since":"1"'));
    expect(await lockOf(folder).lock.take(() => undefined)).toBe(true);
    expect(readdirSync(folder)).toEqual(['lock-2']);
  });

  test('G47: an order that was begun by a process that was killed is gone on with', async () => {
    const rig = new AcmeRig();
    // Killed while it waits for the authority: nothing of it runs any more, and nothing is tidied up.
    await rig.start();
    await rig.until(() => rig.files().some((name) => name.startsWith('order-')));
    const kept = path.join(newFolder(), 'kept');
    mkdirSync(path.join(kept, 'challenges'), { recursive: true });
    for (const name of rig.files()) {
      if (name === 'challenges' || name.startsWith('.')) continue;
      const text = readFileSync(path.join(rig.folder, name), 'utf8').replace(/"since":"\d+"/, '"since":"1"');
      writeFileSync(path.join(kept, name), text);
    }
    await rig.stop();
    const next = new AcmeRig(kept, rig.authority);
    rig.authority.live = next.certificates;
    await next.start();
    await next.untilLogged('acme.obtained');
    await next.untilKept();
    expect(rig.authority.orders).toHaveLength(1);
    expect(next.files().filter((name) => name.startsWith('order-'))).toEqual([]);
  });

  test('G47: an account that the authority has lost is made again, in the same try', async () => {
    const { rig } = await served();
    let isLost = true;
    rig.authority.instead = (where) => {
      if (where === '/account') isLost = false;
      return where === '/new' && isLost ? FakeAuthority.problem(400, 'accountDoesNotExist', 'unknown') : undefined;
    };
    await rig.pass(59 * DAY_MS);
    await rig.untilLogged('acme.obtained', 2);
    expect(rig.authority.accounts).toBe(2);
    expect(rig.logsOf('acme.failed')).toEqual([]);
  });
});

describe('a reload meanwhile', () => {
  test('G48: gives up the order of what is gone, with its proofs', async () => {
    const rig = new AcmeRig();
    await rig.start();
    await rig.until(() => rig.certificates.answerFor('token-of-0-0-padded') !== null);
    const other = await rig.reload({ domains: ['b.test'] });
    await rig.untilLogged('acme.obtained');
    expect(rig.served(other)?.names).toEqual(['b.test']);
    expect(rig.certificates.answerFor('token-of-0-0-padded')).toBe(null);
    expect(readdirSync(path.join(rig.folder, 'challenges'))).toEqual([]);
    expect(rig.logsOf('acme.failed')).toEqual([]);
  });

  test('G48: that asks for the same in another way begins anew at once, and counts nothing against it', async () => {
    const rig = new AcmeRig();
    await rig.start();
    await rig.until(() => rig.certificates.answerFor('token-of-0-0-padded') !== null);
    await rig.reload({ email: 'ops@a.test' });
    const since = rig.clock.now();
    await rig.untilLogged('acme.obtained');
    expect(rig.clock.now() - since).toBeLessThan(MINUTE_MS);
    expect(rig.logsOf('acme.failed')).toEqual([]);
  });

  test('G48: of what stays does not disturb its order', async () => {
    const rig = new AcmeRig();
    await rig.start();
    await rig.until(() => rig.certificates.answerFor('token-of-0-0-padded') !== null);
    const settings = await rig.reload();
    await rig.untilLogged('acme.obtained');
    expect(rig.authority.orders).toHaveLength(1);
    expect(rig.served(settings)?.names).toEqual(['a.test']);
  });
});

function lockOf(folder: string) {
  const clock = new FakeClock();
  const wheel = new TimerWheel(clock);
  const advance = async (ms: number, isDone: () => boolean): Promise<void> => {
    clock.advance(ms);
    wheel.advance(clock.now());
    for (let turn = 0; turn < 10_000 && !isDone(); turn += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  return { lock: new FolderLock(folder, { clock, wheel }), clock, advance };
}
