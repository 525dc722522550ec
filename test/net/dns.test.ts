// Questions to a name server, over real sockets: what every kind of answer comes to, and what a round that is late or
// cancelled leaves behind.

import { describe, expect, test } from 'vitest';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import { type Asker, DnsRounds } from '../../src/net/dns.ts';
import { DnsServer } from '../support/dns-server.ts';
import { FakeClock } from '../support/fake-clock.ts';

class Rig {
  readonly clock = new FakeClock();
  readonly wheel = new TimerWheel(this.clock, 1);
  readonly rounds = new DnsRounds({ clock: this.clock, wheel: this.wheel });
  readonly server: DnsServer;

  constructor(server: DnsServer) {
    this.server = server;
  }

  static async start(): Promise<Rig> {
    return new Rig(await DnsServer.listen());
  }

  ask<T>(work: (asker: Asker) => Promise<T>): Promise<T> {
    return new Promise((done) => this.rounds.begin({ servers: [this.server.address], work, done }));
  }

  addresses(name: string, family: 4 | 6 = 4): Promise<unknown> {
    return this.ask((asker) => asker.addresses(name, family));
  }

  async untilAsked(count: number): Promise<void> {
    while (this.server.asked.length < count) await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('an answer', () => {
  test('of either family, of services, through a chain of other names', async () => {
    const rig = await Rig.start();
    rig.server.addresses('chat.test', '10.0.0.1', '10.0.0.2', 'fd00::1');
    rig.server.on('SRV', '_ws._tcp.chat.test', { records: [{ type: 'SRV', data: '1 5 900 a.chat.test' }] });
    rig.server.on('A', 'alias.test', {
      records: [
        { type: 'CNAME', data: 'b.test' },
        { type: 'CNAME', name: 'b.test', data: 'c.test' },
        { type: 'A', name: 'c.test', data: '10.0.0.3', ttl: 0 },
      ],
    });
    expect(await rig.addresses('chat.test')).toEqual({ kind: 'found', records: ['10.0.0.1', '10.0.0.2'] });
    expect(await rig.addresses('chat.test', 6)).toEqual({ kind: 'found', records: ['fd00::1'] });
    expect(await rig.addresses('alias.test')).toEqual({ kind: 'found', records: ['10.0.0.3'] });
    expect(await rig.ask((asker) => asker.services('_ws._tcp.chat.test'))).toMatchObject({
      kind: 'found',
      records: [{ name: 'a.chat.test', port: 900, priority: 1, weight: 5 }],
    });
  });

  test('that is cut off over UDP is asked for again over TCP', async () => {
    const rig = await Rig.start();
    const records = Array.from({ length: 200 }, (_, at) => ({ type: 'A', data: `10.0.1.${at}` }) as const);
    rig.server.on('A', 'large.test', { records, truncated: true });
    expect(await rig.addresses('large.test')).toEqual({ kind: 'found', records: records.map(({ data }) => data) });
    expect(rig.server.asked).toEqual(['A large.test', 'A large.test tcp']);
  });

  test.each([
    ['no such name', { rcode: 'NXDOMAIN' }, { kind: 'none', code: 'ENOTFOUND' }],
    ['no such record', {}, { kind: 'none', code: 'ENODATA' }],
    ['a failure', { rcode: 'SERVFAIL' }, { kind: 'failed', code: 'ESERVFAIL' }],
    ['no packet of DNS', { raw: Buffer.from('no packet') }, { kind: 'failed', code: 'EBADRESP' }],
  ] as const)('that is %s', async (_, reply, answer) => {
    const rig = await Rig.start();
    rig.server.on('A', 'chat.test', reply);
    expect(await rig.addresses('chat.test')).toEqual(answer);
  });

  test('is not remembered, whatever it says of its life', async () => {
    const rig = await Rig.start();
    for (const address of ['10.0.0.1', '10.0.0.2']) {
      rig.server.on('A', 'chat.test', { records: [{ type: 'A', ttl: 86_400, data: address }] });
      expect(await rig.addresses('chat.test')).toEqual({ kind: 'found', records: [address] });
    }
  });
});

describe('a round', () => {
  test.each([
    ['nobody answers', { never: true }],
    ['the answer is to another question', { wrongId: true, records: [{ type: 'A', data: '10.0.0.9' }] }],
  ] as const)('is over after 10 s when %s; what it would ask then fails at once', async (_, reply) => {
    const rig = await Rig.start();
    rig.server.on('A', 'chat.test', reply);
    const answers = rig.ask(async (asker) => [
      await asker.addresses('chat.test', 4),
      await asker.addresses('chat.test', 6),
    ]);
    await rig.untilAsked(1);
    rig.clock.advance(10_000);
    rig.wheel.advance();
    const late = { kind: 'failed', code: 'ETIMEOUT' };
    expect([await answers, rig.wheel.size, rig.server.asked]).toEqual([[late, late], 0, ['A chat.test']]);
  });

  test('that is cancelled tells nobody, leaves no timer, and makes room', async () => {
    const rig = await Rig.start();
    rig.server.on('A', 'chat.test', { never: true });
    let told = 0;
    const work = (asker: Asker) => asker.addresses('chat.test', 4);
    const rounds = Array.from({ length: 65 }, () =>
      rig.rounds.begin({ servers: [rig.server.address], work, done: () => (told += 1) }),
    );
    await rig.untilAsked(64);
    for (const round of rounds) round.cancel();
    expect(await rig.addresses('other.test')).toEqual({ kind: 'none', code: 'ENOTFOUND' });
    expect([told, rig.wheel.size, rig.server.asked.length]).toEqual([0, 0, 65]);
  });

  test('without a resolver fails, leaves no timer, and the next one is not held up', async () => {
    const rig = await Rig.start();
    const work = (asker: Asker) => asker.addresses('chat.test', 4);
    const answer = await new Promise((done) => rig.rounds.begin({ servers: ['nowhere'], work, done }));
    expect([answer, rig.wheel.size]).toEqual([{ kind: 'failed', code: 'ERR_INVALID_IP_ADDRESS' }, 0]);
    expect(await rig.addresses('chat.test')).toEqual({ kind: 'none', code: 'ENOTFOUND' });
  });

  test('64 run at a time; those beyond wait for their turn', async () => {
    const rig = await Rig.start();
    let release: (value?: unknown) => void = () => {};
    rig.server.on('A', 'chat.test', { after: new Promise((resolve) => (release = resolve)) });
    const all = Array.from({ length: 100 }, () => rig.addresses('chat.test'));
    await rig.untilAsked(64);
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(rig.server.asked).toHaveLength(64);
    release();
    expect(await Promise.all(all)).toEqual(Array(100).fill({ kind: 'none', code: 'ENODATA' }));
  });
});
