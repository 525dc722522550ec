// What bounds and judges requests without upgrade by who sends them: rates per address, lists, proxies, and what is for
// upgrades alone.

import { describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { AuthServer } from '../support/auth-server.ts';
import { makeCertificates } from '../support/certs.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { anyPort, startProxy } from '../support/harness.ts';
import { RawClient } from '../support/raw-client.ts';

type Route = Partial<ConfigInput['routes'][number]>;

async function start(config: Partial<ConfigInput> = {}, route: Route = {}) {
  const pages = await AuthServer.listen(() => ({ headers: { 'Content-Length': '0' } }));
  const http = pages.url.replace('/ask', '');
  const clock = new FakeClock();
  const whole = (limits: ConfigInput['limits'] = {}): ConfigInput => ({
    listeners: anyPort,
    routes: [{ name: 'page', http, ...route }],
    trusted_proxies: ['127.0.0.1'],
    ...config,
    limits: { ...config.limits, ...limits },
  });
  const running = await startProxy(whole(), { clock });
  const ask = async (client: string, ...fields: string[]) => {
    const own = [...fields.filter((one) => /^Host:/.test(one)), 'Host: a.test'].slice(0, 1);
    const rest = fields.filter((one) => !/^Host:/.test(one));
    const raw = await RawClient.connect(running.port);
    const lines = [...own, ...(client === '' ? [] : [`X-Forwarded-For: ${client}`]), ...rest, 'Connection: close'];
    raw.send(`${['GET / HTTP/1.1', ...lines].join('\r\n')}\r\n\r\n`);
    const { head, body } = await raw.readResponse();
    return { status: head.status, head, error: head.status === 200 ? '' : String(JSON.parse(body.toString()).error) };
  };
  return { ...running, pages, clock, whole, ask };
}

describe('H84: requests_per_second_per_ip', () => {
  test('H84: twice of it at once, then 429 until one is due again, for that address alone', async () => {
    const { ask, clock, pages } = await start({ limits: { requests_per_second_per_ip: 1 } });
    const statuses = async (...clients: string[]) => {
      const all = [];
      for (const client of clients) all.push((await ask(client)).status);
      return all;
    };
    expect(await statuses('192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.2')).toEqual([200, 200, 429, 200]);
    const refused = await ask('192.0.2.1');
    expect(refused.error).toBe('too_many_requests_per_ip');
    expect(refused.head.field('retry-after')).toMatch(/^[1-5]$/);
    clock.advance(999);
    expect(await statuses('192.0.2.1')).toEqual([429]);
    clock.advance(1);
    expect(await statuses('192.0.2.1', '192.0.2.1')).toEqual([200, 429]);
    // IPv6 by its /64.
    const v6 = ['2001:db8::1', '2001:db8::ffff:2', '2001:db8::3', '2001:db8:0:1::1'];
    expect(await statuses(...v6)).toEqual([200, 200, 429, 200]);
    expect(pages.asked).toHaveLength(7);
  });

  test('H84: is charged for no handshake, and no handshake rate for requests', async () => {
    const limits = { requests_per_second_per_ip: 1, handshakes_per_second_per_ip: 1, handshakes_per_second: 1 };
    const { ask, port } = await start({ limits }, { upstream: 'builtin:echo' });
    const upgrade = async () => (await (await RawClient.connect(port)).upgrade({ path: '/' })).status;
    for (const status of [200, 200, 429]) expect((await ask('')).status).toBe(status);
    for (const status of [101, 101, 429]) expect(await upgrade()).toBe(status);
  });

  test('H84: holds as a reload says, from then on', async () => {
    const { ask, proxy, whole } = await start();
    for (let n = 0; n < 5; n += 1) expect((await ask('192.0.2.1')).status).toBe(200);
    await proxy.reload(whole({ requests_per_second_per_ip: 0.5 }));
    expect([(await ask('192.0.2.1')).status, (await ask('192.0.2.1')).status]).toEqual([200, 429]);
    await proxy.reload(whole());
    expect((await ask('192.0.2.1')).status).toBe(200);
  });
});

describe('H85: a request without upgrade', () => {
  test.each([
    [{ allow: ['192.0.2.0/24'] }, '192.0.2.255', ''],
    [{ allow: ['192.0.2.0/24'] }, '192.0.3.0', 'address_not_allowed'],
    [{ deny: ['192.0.2.7/32'] }, '192.0.2.7', 'address_not_allowed'],
    [{ deny: ['192.0.2.7/32'] }, '192.0.2.8', ''],
  ])('H85: is let in by its address: %j %s %s', async (route, client, error) => {
    const { ask, pages } = await start({}, route);
    expect((await ask(client)).error).toBe(error);
    expect(pages.asked).toHaveLength(error === '' ? 1 : 0);
  });

  test('H85: brings what its proxy says, and of nobody else what only a proxy can say', async () => {
    const set = { 'X-Client': '{client_ip}', 'X-Where': '{path}' };
    const claims = [
      'X-Forwarded-Proto: https',
      'X-Request-ID: r1',
      'X-HTTP-Method-Override: DELETE',
      'X-Client: 6.6.6.6',
    ];
    const of = async (trusted_proxies: string[]) => {
      const { ask, pages } = await start({ trusted_proxies }, { headers: { request: { set } } });
      await ask('192.0.2.1', ...claims);
      const headers = pages.asked[0]?.headers ?? {};
      const names = [
        'x-client',
        'x-where',
        'x-real-ip',
        'x-forwarded-for',
        'x-forwarded-proto',
        'x-http-method-override',
      ];
      return [...names.map((name) => headers[name]), headers['x-request-id'] === 'r1'];
    };
    expect(await of(['127.0.0.1'])).toEqual([
      '192.0.2.1',
      '/',
      '192.0.2.1',
      '192.0.2.1, 127.0.0.1',
      'https',
      'DELETE',
      true,
    ]);
    expect(await of([])).toEqual(['127.0.0.1', '/', '127.0.0.1', '127.0.0.1', 'http', undefined, false]);
  });

  test('H85: that comes round again is 508', async () => {
    const { ask, pages } = await start();
    await ask('');
    const via = String(pages.asked[0]?.headers.via);
    expect((await ask('', `Via: 1.1 other, ${via}`)).error).toBe('loop');
    expect((await ask('', 'Via: 1.1 other')).status).toBe(200);
  });

  test('H85: for a host of a listener that asks for certificates is 421', async () => {
    const certs = await makeCertificates();
    const certificates = [{ cert: certs.good.cert, key: certs.good.key }];
    const tls = { certificates, client_auth: 'require' as const, client_ca: certs.ca };
    const listeners = [...anyPort, { name: 'closed', address: '127.0.0.1:0', tls }];
    const http = 'http://127.0.0.1:1';
    const routes = [
      { match: { hosts: ['a.test'], listeners: ['test'] }, http },
      { match: { hosts: ['closed.test'], listeners: ['closed'] }, http },
    ];
    const { ask } = await start({ listeners, routes });
    expect((await ask('', 'Host: closed.test')).error).toBe('misdirected');
    expect((await ask('', 'Host: other.test')).error).toBe('no_route');
  });

  test('H85: is judged by nothing that is for upgrades', async () => {
    const { ask } = await start(
      { limits: { max_sessions_per_identity: 1 } },
      {
        upstream: 'builtin:echo',
        origins: ['https://app.test'],
        missing_origin: 'refuse',
        subprotocols: ['chat'],
        refuse_with: 'close',
        limits: { max_sessions: 1 },
      },
    );
    for (const fields of [[], ['Origin: https://evil.test'], ['Sec-WebSocket-Protocol: other'], []])
      expect((await ask('', ...fields)).status).toBe(200);
  });
});
