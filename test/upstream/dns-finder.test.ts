// Targets by the names of DNS: what they are called and how they are reached, when the name is asked for, and what an
// answer that is half of one counts for. No server here: the test is the one who is asked.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { DnsDiscovery, UpstreamConfig } from '../../src/config/types.ts';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import type { Asker, DnsAnswer, SrvRecord } from '../../src/net/dns.ts';
import type { Answer, Failure } from '../../src/upstream/sources/discovery.ts';
import { DnsFinder } from '../../src/upstream/sources/dns.ts';
import { FOUND_MAX } from '../../src/upstream/sources/held-list.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { upstreamMeans } from '../support/upstreams.ts';

const SETTINGS: DnsDiscovery = {
  kind: 'dns',
  name: 'chat.test',
  type: 'a',
  port: 9001,
  scheme: 'ws',
  path: '',
  every: 30_000,
  servers: ['192.0.2.53:53'],
};
const NONE = { kind: 'none', code: 'ENODATA' } as const;

function found<T>(...records: T[]): DnsAnswer<T> {
  return { kind: 'found', records };
}

function failed(code: string): DnsAnswer<never> {
  return { kind: 'failed', code };
}

function srv(name: string, port: number, priority: number, weight: number): SrvRecord {
  return { name, port, priority, weight };
}

class Rig implements Asker {
  readonly clock = new FakeClock();
  readonly wheel = new TimerWheel(this.clock, 1);
  readonly finder: DnsFinder;
  /** By family and name. What is not in it does not exist. */
  readonly zone = new Map<string, DnsAnswer<string>>();
  service: DnsAnswer<SrvRecord> = NONE;
  readonly answers: Answer[] = [];
  readonly failures: Failure[] = [];
  /** When rounds began, on the clock from 0 on. */
  readonly begun: number[] = [];
  servers: readonly string[] = [];
  cancelled = 0;
  /** A round waits for it. */
  hold: Promise<unknown> = Promise.resolve();
  random = 0.5;

  constructor(change: Partial<DnsDiscovery> = {}, allow: UpstreamConfig['allow_addresses'] = 'any') {
    const { clock, wheel } = this;
    const startedAt = clock.now();
    const dns = upstreamMeans({
      clock,
      wheel,
      random: () => this.random,
      dns: {
        begin: ({ servers, work, done }) => {
          this.begun.push(clock.now() - startedAt);
          this.servers = servers;
          let isCancelled = false;
          const run = async () => {
            await this.hold;
            const result = await work(this);
            if (!isCancelled) done(result);
          };
          void run();
          return {
            cancel: () => {
              isCancelled = true;
              this.cancelled += 1;
            },
          };
        },
      },
    });
    this.finder = new DnsFinder({ ...SETTINGS, ...change }, allow, dns);
  }

  async addresses(name: string, family: 4 | 6): Promise<DnsAnswer<string>> {
    return this.zone.get(`${family} ${name}`) ?? NONE;
  }

  async services(): Promise<DnsAnswer<SrvRecord>> {
    return this.service;
  }

  async start(): Promise<this> {
    this.finder.start({
      onAnswer: (answer) => this.answers.push(answer),
      onUnchanged() {},
      onFailure: (failure) => this.failures.push(failure),
    });
    await this.settle();
    return this;
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 3; turn += 1) await nextTurn();
  }

  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    this.wheel.advance();
    await this.settle();
  }

  get names(): readonly string[] {
    return this.answers.at(-1)?.targets.map(({ name }) => name) ?? [];
  }
}

describe('targets of type a', () => {
  test('are the addresses of both families, named by address and port, in one order', async () => {
    const rig = new Rig({ path: '/base' });
    rig.zone.set('4 chat.test', found('10.0.0.2', '10.0.0.1', '10.0.0.2'));
    rig.zone.set('6 chat.test', found('FD00::0:1'));
    await rig.start();
    expect([rig.names, rig.servers]).toEqual([['10.0.0.1:9001', '10.0.0.2:9001', '[fd00::1]:9001'], ['192.0.2.53:53']]);
    expect(rig.answers[0]?.targets[0]).toEqual({
      name: '10.0.0.1:9001',
      url: 'ws://10.0.0.1:9001/base',
      endpoint: { kind: 'tcp', host: 'chat.test', address: '10.0.0.1', port: 9001, secure: false, base: '/base' },
      weight: 1,
      backup: false,
      max_sessions: Number.POSITIVE_INFINITY,
    });
    rig.zone.set('4 chat.test', found('10.0.0.1', '10.0.0.2'));
    await rig.pass(40_000);
    expect(rig.answers[1]).toEqual(rig.answers[0]);
  });

  test('a family that fails is as it was; what it lost is known when it answers again', async () => {
    const rig = new Rig();
    rig.zone.set('4 chat.test', found('10.0.0.1'));
    rig.zone.set('6 chat.test', found('fd00::1'));
    await rig.start();
    rig.zone.set('6 chat.test', failed('ESERVFAIL'));
    rig.zone.set('4 chat.test', found('10.0.0.2'));
    await rig.pass(40_000);
    expect([rig.names, rig.answers[1]?.leftOut]).toEqual([
      ['10.0.0.2:9001', '[fd00::1]:9001'],
      ['AAAA of chat.test: ESERVFAIL'],
    ]);
    rig.zone.delete('6 chat.test');
    await rig.pass(40_000);
    expect([rig.names, rig.answers[2]?.leftOut]).toEqual([['10.0.0.2:9001'], []]);
  });

  test('nothing of one family and a failure of the other is a failure, never an empty answer', async () => {
    const rig = new Rig();
    rig.zone.set('6 chat.test', failed('ETIMEOUT'));
    await rig.start();
    expect([rig.answers, rig.failures]).toEqual([
      [],
      [{ error: 'ETIMEOUT', fields: { name: 'chat.test', left_out: ['AAAA of chat.test: ETIMEOUT'] } }],
    ]);
  });

  test('nothing but failures is one, whatever is remembered, and what is remembered outlives it', async () => {
    const rig = new Rig();
    rig.zone.set('4 chat.test', found('10.0.0.1'));
    await rig.start();
    rig.zone.set('4 chat.test', failed('ECONNREFUSED'));
    rig.zone.set('6 chat.test', failed('ETIMEOUT'));
    await rig.pass(40_000);
    const told = ['A of chat.test: ECONNREFUSED', 'AAAA of chat.test: ETIMEOUT'];
    expect([rig.answers.length, rig.failures]).toEqual([
      1,
      [{ error: 'ECONNREFUSED', fields: { name: 'chat.test', left_out: told } }],
    ]);
    rig.zone.delete('6 chat.test');
    await rig.pass(40_000);
    expect([rig.answers.length, rig.names]).toEqual([2, ['10.0.0.1:9001']]);
  });

  test('a name that does not exist, or has no address, is an answer without targets, and says so', async () => {
    const rig = await new Rig().start();
    rig.zone.set('4 chat.test', { kind: 'none', code: 'ENOTFOUND' });
    await rig.pass(40_000);
    expect(rig.answers).toEqual([
      { targets: [], leftOut: [], absence: 'ENODATA' },
      { targets: [], leftOut: [], absence: 'ENOTFOUND' },
    ]);
  });
});

describe('targets of type srv', () => {
  const service = { type: 'srv', name: '_ws._tcp.chat.test', scheme: 'wss' } as const;

  test('have port, weight and rank of their record; TLS and Host go by the name without its service', async () => {
    const rig = new Rig(service);
    rig.service = found(srv('a.test', 1001, 5, 10), srv('b.test', 1002, 5, 20), srv('c.test', 1003, 6, 30));
    for (const [at, name] of ['a', 'b', 'c'].entries()) rig.zone.set(`4 ${name}.test`, found(`10.0.0.${at}`));
    await rig.start();
    const shown = rig.answers[0]?.targets.map(({ name, weight, backup }) => [name, weight, backup]);
    expect(shown).toEqual([
      ['10.0.0.0:1001', 10, false],
      ['10.0.0.1:1002', 20, false],
      ['10.0.0.2:1003', 30, true],
    ]);
    expect(rig.answers[0]?.targets[0]?.endpoint).toMatchObject({
      host: 'chat.test',
      address: '10.0.0.0',
      secure: true,
    });
  });

  test.each([
    ['as they are up to 256', [1, 256], [1, 256]],
    ['scaled above', [257, 514, 1], [128, 256, 1]],
    ['at least 1', [65_535, 1], [256, 1]],
    ['0 beside others has a small chance', [0, 1, 3], [1, 85, 256]],
    ['0 for all is equal', [0, 0], [1, 1]],
  ])('weights: %s', async (_, given, expected) => {
    const rig = new Rig(service);
    rig.service = found(...given.map((weight, at) => srv('a.test', 1001 + at, 0, weight)));
    rig.zone.set('4 a.test', found('10.0.0.1'));
    await rig.start();
    expect(rig.answers[0]?.targets.map(({ weight }) => weight)).toEqual(expected);
  });

  test('of two records for one target the one of better rank counts, then the heavier', async () => {
    const rig = new Rig(service);
    rig.service = found(srv('a.test', 1, 9, 90), srv('b.test', 1, 0, 10), srv('c.test', 1, 0, 20));
    for (const name of ['a', 'b', 'c']) rig.zone.set(`4 ${name}.test`, found('10.0.0.1'));
    await rig.start();
    expect(rig.answers[0]?.targets).toMatchObject([{ name: '10.0.0.1:1', weight: 20, backup: false }]);
  });

  test('a name of them that fails is as it was; one that never answered is left out', async () => {
    const rig = new Rig(service);
    rig.service = found(srv('a.test', 1, 0, 0), srv('b.test', 1, 0, 0));
    rig.zone.set('4 a.test', found('10.0.0.1'));
    rig.zone.set('4 b.test', failed('ESERVFAIL'));
    await rig.start();
    expect([rig.names, rig.answers[0]?.leftOut]).toEqual([['10.0.0.1:1'], ['A of b.test: ESERVFAIL']]);
    rig.zone.set('4 a.test', failed('ETIMEOUT'));
    rig.zone.set('4 b.test', found('10.0.0.2'));
    await rig.pass(40_000);
    expect([rig.names, rig.answers[1]?.leftOut]).toEqual([['10.0.0.1:1', '10.0.0.2:1'], ['A of a.test: ETIMEOUT']]);
  });

  test('a service whose names all fail is a failure, unless one family of one of them is told', async () => {
    const rig = new Rig(service);
    rig.service = found(srv('a.test', 1, 0, 0), srv('b.test', 1, 0, 0));
    for (const name of ['a.test', 'b.test']) rig.zone.set(`4 ${name}`, found('10.0.0.1'));
    await rig.start();
    for (const name of ['4 a.test', '6 a.test', '4 b.test', '6 b.test']) rig.zone.set(name, failed('ESERVFAIL'));
    await rig.pass(40_000);
    expect([rig.answers.length, rig.failures.map(({ error }) => error)]).toEqual([1, ['ESERVFAIL']]);
    rig.zone.delete('6 b.test');
    await rig.pass(40_000);
    expect([rig.answers.length, rig.failures.length]).toEqual([2, 1]);
  });

  test('a failure of the service itself forgets no address of before', async () => {
    const rig = new Rig(service);
    rig.service = found(srv('a.test', 1, 0, 0));
    rig.zone.set('4 a.test', found('10.0.0.1'));
    await rig.start();
    rig.service = failed('ESERVFAIL');
    await rig.pass(40_000);
    rig.service = found(srv('a.test', 1, 0, 0));
    rig.zone.set('4 a.test', failed('ESERVFAIL'));
    await rig.pass(40_000);
    expect([rig.failures.length, rig.names]).toEqual([1, ['10.0.0.1:1']]);
  });

  test('RFC 2782: "." is no target, and says that there is none', async () => {
    const rig = new Rig(service);
    rig.service = found(srv('', 0, 0, 0));
    await rig.start();
    expect(rig.answers).toEqual([{ targets: [], leftOut: [], absence: 'ENODATA' }]);
  });
});

describe('the look-ups', () => {
  test('begin every so often, a tenth earlier or later, and never before the one under way is over', async () => {
    const rig = new Rig();
    rig.zone.set('4 chat.test', found('10.0.0.1'));
    rig.random = 0;
    await rig.start();
    await rig.pass(26_999);
    expect(rig.begun).toEqual([0]);
    rig.random = 0.999_999;
    await rig.pass(1);
    await rig.pass(32_999);
    expect(rig.begun).toEqual([0, 27_000]);
    let release: (value?: unknown) => void = () => {};
    rig.hold = new Promise((resolve) => {
      release = resolve;
    });
    await rig.pass(1);
    await rig.pass(500_000);
    expect(rig.begun).toEqual([0, 27_000, 60_000]);
    release();
    await rig.settle();
    await rig.pass(1);
    expect(rig.begun).toHaveLength(4);
  });

  test('after failures come sooner: a second later, two, four, and not more rarely than every', async () => {
    const rig = new Rig({ every: 5_000 });
    rig.zone.set('4 chat.test', failed('ETIMEOUT'));
    await rig.start();
    for (let ms = 0; ms < 17_000; ms += 500) await rig.pass(500);
    expect(rig.begun).toEqual([0, 1_000, 3_000, 7_000, 12_000, 17_000]);
    rig.zone.set('4 chat.test', found('10.0.0.1'));
    await rig.pass(5_000);
    await rig.pass(4_999);
    expect(rig.begun).toHaveLength(7);
    await rig.pass(1);
    expect(rig.begun).toHaveLength(8);
  });

  test('after its end there is none, and one under way is cancelled', async () => {
    const rig = await new Rig().start();
    await rig.pass(40_000);
    rig.finder.stop();
    await rig.pass(400_000);
    expect([rig.begun.length, rig.cancelled, rig.wheel.size, rig.answers.length]).toEqual([2, 1, 0, 2]);
  });
});

describe('more than there may be', () => {
  const many = (count: number) =>
    Array.from({ length: count }, (_, at) => `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`);

  test('addresses: the same ones are left out, whatever the order of the answer, and it is told', async () => {
    const rig = new Rig();
    const all = many(FOUND_MAX + 1);
    rig.zone.set('4 chat.test', found(...all.slice(1)));
    await rig.start();
    expect([rig.names.length, rig.answers[0]?.leftOut]).toEqual([FOUND_MAX, []]);
    const names: unknown[] = [];
    for (const order of [all, [...all].reverse()]) {
      rig.zone.set('4 chat.test', found(...order));
      await rig.pass(40_000);
      expect(rig.answers.at(-1)?.leftOut).toEqual([`more than ${FOUND_MAX} targets`]);
      names.push(rig.names);
    }
    expect(names[0]).toHaveLength(FOUND_MAX);
    expect(names[1]).toEqual(names[0]);
  });

  test('services with thousands of addresses each: some are looked at, and no more are asked for', async () => {
    const rig = new Rig({ type: 'srv', name: '_ws._tcp.chat.test' });
    const names = Array.from({ length: 2_000 }, (_, at) => `n${at}.test`);
    const records = names.flatMap((name) => [srv(name, 1, 0, 1), srv(name, 2, 0, 1)]);
    rig.service = found(...records);
    const addresses = many(4_000);
    let asked = 0;
    rig.addresses = async (_, family) => {
      asked += 1;
      return family === 4 ? found(...addresses) : NONE;
    };
    await rig.start();
    expect([rig.names.length, rig.answers[0]?.leftOut]).toEqual([FOUND_MAX, [`more than ${FOUND_MAX} targets`]]);
    expect(asked).toBeLessThan(50);
  });
});

describe('addresses that are not allowed', () => {
  const DENIED = [
    ...['127.0.0.1', '127.255.255.255', '0.0.0.0', '169.254.169.254', '224.0.0.1', '239.255.255.255'],
    ...['255.255.255.255', '100.100.100.200', '168.63.129.16', '::', '::1', 'fe80::1', 'febf::1', 'ff02::1'],
    'fd00:ec2::254',
    ...['::ffff:127.0.0.1', '::ffff:169.254.169.254', '::ffff:100.100.100.200', '::127.0.0.1'],
    ...['64:ff9b::7f00:1', '64:ff9b::a9fe:a9fe', '64:ff9b:1::a9fe:a9fe', '64:ff9b:1:a9fe:a9:fe00::', '2002:7f00:1::1'],
  ];
  const ALLOWED = [
    ...['126.255.255.255', '128.0.0.0', '1.0.0.0', '10.0.0.1', '169.253.255.255', '223.255.255.255'],
    ...['100.100.100.199', '100.100.100.201', '168.63.129.17', '192.168.0.1', '::ffff:10.0.0.1', 'fd00::1', 'fec0::1'],
    ...['fd00:ec2::253', '64:ff9b::a00:1', '64:ff9b:1::a00:1', '64:ff9b:1:a00:0:100::', '2001:db8::1'],
  ];

  async function judged(addresses: readonly string[], allow?: UpstreamConfig['allow_addresses']): Promise<Rig> {
    const rig = new Rig({}, allow);
    rig.zone.set('4 chat.test', found(...addresses.filter((one) => !one.includes(':'))));
    rig.zone.set('6 chat.test', found(...addresses.filter((one) => one.includes(':'))));
    return rig.start();
  }

  test('loopback, link-local, multicast, metadata services, in every form', async () => {
    const rig = await judged(DENIED);
    expect(rig.failures).toMatchObject([{ error: 'not_allowed' }]);
    expect(rig.failures[0]?.fields?.left_out).toHaveLength(DENIED.length);
    for (const address of DENIED) expect((await judged([address])).failures, address).toHaveLength(1);
  });

  test('all others are', async () => {
    for (const address of ALLOWED) expect((await judged([address])).names, address).toHaveLength(1);
  });

  test('are left out, the rest is taken', async () => {
    const rig = await judged(['10.0.0.1', '127.0.0.1']);
    expect([rig.names, rig.answers[0]?.leftOut]).toEqual([['10.0.0.1:9001'], ['127.0.0.1: not in allow_addresses']]);
  });

  test('a list: those in it and no others, be they loopback', async () => {
    const allow = ['127.0.0.0/8', 'fd00::/8'];
    const rig = await judged(['127.0.0.1', '10.0.0.1', 'fd00:ec2::254', '64:ff9b::7f00:1', '::ffff:127.0.0.2'], allow);
    expect(rig.names).toEqual(['127.0.0.1:9001', '127.0.0.2:9001', '[fd00:ec2::254]:9001']);
  });
});
