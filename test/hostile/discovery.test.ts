import { expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { askAdmin, until } from '../e2e/operating.ts';
import { DnsServer } from '../support/dns-server.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { anyPort, type RunningProxy, startProxy } from '../support/harness.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { upgradeRequest } from '../support/wire.ts';

const NAME = 'chat.test';

interface World {
  readonly dns: DnsServer;
  readonly backend: RawBackend;
  readonly clock: FakeClock;
  readonly running: RunningProxy;
}

/** A proxy whose only upstream is what the name server says of `chat.test`, at the port of the backend. */
async function world(before: (dns: DnsServer) => void, allow?: string[]): Promise<World> {
  const dns = await DnsServer.listen();
  before(dns);
  const backend = await RawBackend.listen();
  const clock = new FakeClock();
  const discover = { dns: { name: NAME, port: backend.port, servers: [dns.address], every: '1s' } };
  const app: NonNullable<ConfigInput['upstreams']>[string] = { discover, hold: '0s' };
  if (allow !== undefined) app.allow_addresses = allow;
  const admin = { address: '127.0.0.1:0' };
  const config = { listeners: anyPort, admin, routes: [{ upstream: 'app' }], upstreams: { app } };
  return { dns, backend, clock, running: await startProxy(config, { clock }) };
}

async function status({ running }: World): Promise<number> {
  const client = await RawClient.connect(running.port);
  client.send(upgradeRequest());
  const { status } = await client.readResponse();
  client.end();
  await client.closed;
  return status;
}

/** The name server is asked again, and its answer was taken. */
async function askedAgain({ dns, clock }: World): Promise<void> {
  const asked = dns.asked.length;
  await until('the name is asked for three times more', () => {
    clock.advance(1_200);
    return dns.asked.length >= asked + 6;
  });
}

const FORMS = [
  ...['127.0.0.1', '127.8.9.10', '0.0.0.0', '169.254.169.254', '100.100.100.200', '168.63.129.16', '224.0.0.1'],
  ...['::1', '::', 'fe80::1', 'ff02::1', 'fd00:ec2::254'],
  // v4-mapped, v4-compatible, NAT64 by both of its prefixes, 6to4.
  ...['::ffff:127.0.0.1', '::ffff:169.254.169.254', '::ffff:100.100.100.200', '::127.0.0.1', '64:ff9b::7f00:1'],
  ...['64:ff9b::a9fe:a9fe', '64:ff9b:1::a9fe:a9fe', '64:ff9b:1:a9fe:a9:fe00::', '2002:a9fe:a9fe::'],
];

test('B21: what is looked up as loopback, link-local or a metadata service, in any form, is no target', async () => {
  const all = await world((dns) => dns.addresses(NAME, ...FORMS));
  const told = await all.running.waitForLog('discovery.failed');
  expect(told).toMatchObject({ upstream: 'app', source: 'dns', error: 'not_allowed', name: NAME, targets: 0 });
  expect(told.left_out).toHaveLength(FORMS.length);
  expect([await status(all), all.backend.all.length]).toEqual([503, 0]);
  // One of them among others: not even then.
  for (const form of FORMS) {
    const one = await world((dns) => dns.addresses(NAME, form, '192.0.2.1'));
    const { left_out } = await one.running.waitForLog('discovery.left_out');
    expect(left_out).toEqual([expect.stringContaining(': not in allow_addresses')]);
    await one.running.stop();
  }
});

test('B21: the address that was judged is the one that is dialed; a list allows what it holds alone', async () => {
  const one = await world((dns) => dns.addresses(NAME, '127.0.0.1', '::1'), ['127.0.0.0/8']);
  expect(await one.running.waitForLog('discovery.left_out')).toMatchObject({ count: 1 });
  // It says something else when it is asked a second time, but nobody asks: not the system's resolver either.
  const asked = one.dns.asked.length;
  one.dns.addresses(NAME, '169.254.169.254');
  const client = await RawClient.connect(one.running.port);
  const opened = client.upgrade();
  await one.backend.nextSession();
  expect([(await opened).status, one.dns.asked.length]).toEqual([101, asked]);
  // What it turned to is left out, and the last good answer stands.
  await askedAgain(one);
  expect(await one.running.waitForLog('discovery.failed')).toMatchObject({ error: 'not_allowed', targets: 1 });
  const again = await RawClient.connect(one.running.port);
  const reopened = again.upgrade();
  await one.backend.nextSession();
  expect((await reopened).status).toBe(101);
});

test('E24: a name server that fails, denies, says nothing, or is silent: the last good answer stands', async () => {
  const one = await world((dns) => dns.addresses(NAME, '127.0.0.1'), ['127.0.0.0/8']);
  const open = async (): Promise<number> => {
    const client = await RawClient.connect(one.running.port);
    const opened = client.upgrade();
    await one.backend.nextSession();
    return (await opened).status;
  };
  const found = 'framegate_discovery_targets{upstream="app"} 1\n';
  await until('it was found', async () => (await askAdmin(one.running, 'GET /metrics')).body.includes(found));
  const bad = [
    { rcode: 'SERVFAIL' },
    { rcode: 'NXDOMAIN' },
    { records: [] },
    { raw: Buffer.from('no packet of DNS') },
  ] as const;
  for (const reply of bad) {
    for (const type of ['A', 'AAAA'] as const) one.dns.on(type, NAME, reply);
    await askedAgain(one);
    expect(await open()).toBe(101);
  }
  for (const type of ['A', 'AAAA'] as const) one.dns.on(type, NAME, { never: true });
  await askedAgain(one);
  expect(await open()).toBe(101);
  // Once, for all of it, from the first on: what is remembered is no answer.
  expect(one.running.logsOf('discovery.failed')).toMatchObject([{ error: 'ESERVFAIL' }]);
  // A changed answer is taken as soon as there is one.
  one.dns.addresses(NAME, '127.0.0.2');
  expect(await one.running.waitForLog('discovery.ok')).toMatchObject({ upstream: 'app', source: 'dns' });
});
