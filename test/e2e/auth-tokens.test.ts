// Sessions that stand on tokens, signed requests and client certificates: over real sockets.

import { createHmac } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { type Authority, type Identity, makeAuthority } from '../support/certs.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { oneRoute, startProxy } from '../support/harness.ts';
import { JwksServer } from '../support/jwks-server.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { comeBack, sessionOf } from '../support/tls-clients.ts';
import { hs256, inSeconds, makeSigningKey, SECRET_TEXT, tokenOf } from '../support/tokens.ts';
import type { Head } from '../support/wire.ts';
import { hasWorkers } from '../support/worker-fleet.ts';

const RSA = makeSigningKey('RS256');

function signed(payload: object, kid = 'a', key = RSA): string {
  return tokenOf({ header: { alg: key.alg, kid }, payload, sign: key.sign });
}

/** The status of a handshake with these fields. */
async function visit(port: number, headers: Record<string, string>): Promise<Head> {
  const client = await RawClient.connect(port);
  return client.upgrade({ headers });
}

describe('jwt', () => {
  test('a page brings its token as a subprotocol, and the backend sees neither it nor its marker', async () => {
    const backend = await RawBackend.listen();
    const auth: ConfigInput['auth'] = {
      users: { jwt: { from: ['subprotocol:bearer'], secret: SECRET_TEXT, algorithms: ['HS256'] } },
    };
    const { port, waitForLog } = await startProxy(
      oneRoute(backend.url, { auth: ['users'] }, { auth, log: { session_open: 'info' } }),
    );
    const token = tokenOf({
      header: { alg: 'HS256' },
      payload: { sub: 'u1', exp: inSeconds(60) },
      sign: (input) => hs256(input),
    });
    const client = await RawClient.connect(port);
    const answer = client.upgrade({ headers: { 'Sec-WebSocket-Protocol': `chat, bearer, ${token}` } });
    const session = await backend.nextSession();
    expect((await session.request()).field('sec-websocket-protocol')).toBe('chat');
    expect((await answer).status).toBe(101);
    expect(await waitForLog('session.open')).toMatchObject({ route: 'test' });
  });

  test('a client that encodes its token brings it as one entry, in one spelling', async () => {
    const backend = await RawBackend.listen();
    const from = ['subprotocol_prefix:base64url.bearer.'];
    const auth: ConfigInput['auth'] = {
      users: { jwt: { from, decode: 'base64url', secret: SECRET_TEXT, algorithms: ['HS256'] } },
    };
    const { port } = await startProxy(oneRoute(backend.url, { auth: ['users'] }, { auth }));
    const token = tokenOf({
      header: { alg: 'HS256' },
      payload: { sub: 'u1', exp: inSeconds(60) },
      sign: (input) => hs256(input),
    });
    const offer = (text: string) => ({ 'Sec-WebSocket-Protocol': `chat, base64url.bearer.${text}` });
    const client = await RawClient.connect(port);
    const answer = client.upgrade({ headers: offer(Buffer.from(token).toString('base64url')) });
    const session = await backend.nextSession();
    expect((await session.request()).field('sec-websocket-protocol')).toBe('chat');
    expect((await answer).status).toBe(101);
    expect((await visit(port, offer(token))).status).toBe(401);
    expect((await visit(port, offer(`${Buffer.from(token).toString('base64url')}A`))).status).toBe(401);
  });

  test('a gateway with issuer and audience lets in what is for it, and says Bearer to who brings nothing', async () => {
    const backend = await RawBackend.listen();
    const auth: ConfigInput['auth'] = {
      users: { jwt: { key: RSA.pem, algorithms: ['RS256'], issuer: 'https://as', audience: 'chat' } },
    };
    const route = { auth: ['users'], match: { path: '/secure/ws' } };
    const { port } = await startProxy(oneRoute(backend.url, route, { auth }));
    const claims = { sub: 'u1', exp: inSeconds(60), iss: 'https://as', aud: ['other', 'chat'] };
    const ask = async (headers: Record<string, string>) => {
      const client = await RawClient.connect(port);
      return client.upgrade({ path: '/secure/ws', headers });
    };
    const nobody = await ask({});
    expect([nobody.status, nobody.field('www-authenticate')]).toEqual([401, 'Bearer realm="framegate"']);
    const wrong = await ask({ Authorization: `Bearer ${signed({ ...claims, aud: 'other' })}` });
    expect(wrong.status).toBe(401);
    const good = ask({ Authorization: `Bearer ${signed(claims)}` });
    const session = await backend.nextSession();
    expect((await session.request()).field('authorization')).toBeUndefined();
    expect((await good).status).toBe(101);
  });

  // Each worker finds out for itself that there is a new one.
  test.skipIf(hasWorkers)(
    'keys of a URL are there before the first handshake is judged, and a new one is found',
    async () => {
      const server = await JwksServer.listen();
      server.serve(RSA.jwk({ kid: 'a' }));
      const auth: ConfigInput['auth'] = {
        users: { jwt: { jwks: { url: server.url, cooldown: '1s' }, algorithms: ['RS256', 'ES256'] } },
      };
      const clock = new FakeClock();
      const { port } = await startProxy(oneRoute('builtin:echo', { auth: ['users'] }, { auth }), { clock });
      const claims = { sub: 'u1', exp: inSeconds(60) };
      expect((await visit(port, { Authorization: `Bearer ${signed(claims)}` })).status).toBe(101);
      expect(server.asked).toEqual(['/jwks']);
      const next = makeSigningKey('ES256');
      server.serve(next.jwk({ kid: 'b' }));
      const fields = { Authorization: `Bearer ${signed(claims, 'b', next)}` };
      expect((await visit(port, fields)).status, 'within the cooldown').toBe(401);
      clock.advance(1_000);
      expect((await visit(port, fields)).status).toBe(101);
      expect((await visit(port, { Authorization: `Bearer ${signed(claims)}` })).status).toBe(401);
      expect(server.asked).toHaveLength(2);
    },
  );
});

describe('hmac', () => {
  /** As a client signs: with node:crypto and the request line that it sends. */
  function signedFields(path: string, own: Record<string, string> = {}): Record<string, string> {
    const date = new Date().toUTCString();
    const text = `(request-target): get ${path}\nhost: framegate.test\ndate: ${date}`;
    const signature = createHmac('sha256', SECRET_TEXT).update(text).digest('base64');
    const credentials = { keyId: 'device', algorithm: 'hmac-sha256', headers: '(request-target) host date', signature };
    const list = Object.entries({ ...credentials, ...own }).map(([name, value]) => `${name}="${value}"`);
    return { Date: date, Authorization: `Signature ${list.join(',')}` };
  }

  test('a request that its client signed comes in, for that target alone', async () => {
    const backend = await RawBackend.listen();
    const auth: ConfigInput['auth'] = { signed: { hmac: { keys: [{ name: 'device', secret: SECRET_TEXT }] } } };
    const { port } = await startProxy(oneRoute(backend.url, { auth: ['signed'] }, { auth }));
    const headers = signedFields('/a?b=c');
    const other = await (await RawClient.connect(port)).upgrade({ path: '/a?b=d', headers });
    expect([other.status, other.field('www-authenticate')]).toEqual([
      401,
      'Signature realm="framegate",headers="(request-target) host date"',
    ]);
    const client = await RawClient.connect(port);
    const answer = client.upgrade({ path: '/a?b=c', headers });
    const session = await backend.nextSession();
    const request = await session.request();
    expect([request.field('authorization'), request.field('date')]).toEqual([undefined, headers.Date]);
    expect((await answer).status).toBe(101);
  });
});

describe('certificate', () => {
  let authority: Authority;
  let server: Identity;
  let device: Identity;
  beforeAll(async () => {
    authority = await makeAuthority();
    server = await authority.issue({ dns: ['a.test'] });
    device = await authority.issue({ client: true, names: [{ type: 'url', value: 'spiffe://x.test/d1' }] });
  });

  function configOf(clientCa: string, allow: string[] | undefined): ConfigInput {
    const tls = { certificates: [server], client_auth: 'request' as const, client_ca: clientCa };
    const listeners = [{ name: 'test', address: '127.0.0.1:0', tls }];
    const auth: ConfigInput['auth'] = { devices: { certificate: allow === undefined ? {} : { allow } } };
    return oneRoute(
      'builtin:echo',
      { auth: ['devices'], origins: ['same'], missing_origin: 'allow' },
      { listeners, auth, drain: { spread: '10ms' } },
    );
  }

  async function visitWith(port: number, identity: Identity | null): Promise<RawClient> {
    return RawClient.connect(port, { tls: { rejectUnauthorized: false, servername: 'a.test', ...identity } });
  }

  test('a device comes in by a name of its certificate, and one that is not on the list is told so', async () => {
    const other = await authority.issue({ client: true, names: [{ type: 'url', value: 'spiffe://x.test/d2' }] });
    const { port } = await startProxy(configOf(authority.ca, ['spiffe://x.test/d1']));
    const fields = { headers: { Origin: 'https://framegate.test' } };
    expect((await (await visitWith(port, device)).upgrade(fields)).status).toBe(101);
    expect((await (await visitWith(port, null)).upgrade(fields)).status).toBe(401);
    expect((await (await visitWith(port, other)).upgrade(fields)).status).toBe(403);
  });

  test('who came in under an authority that leaves the config goes, others stay', async () => {
    const second = await makeAuthority('Other CA');
    const theirs = await second.issue({ client: true, names: [{ type: 'url', value: 'spiffe://y.test/d9' }] });
    const { port, proxy, waitForLog, logsOf } = await startProxy(configOf(authority.ca + second.ca, undefined));
    const fields = { headers: { Origin: 'https://framegate.test' } };
    const clients: RawClient[] = [];
    for (const identity of [device, theirs]) {
      const client = await visitWith(port, identity);
      expect((await client.upgrade(fields)).status).toBe(101);
      clients.push(client);
    }
    await proxy.reload(configOf(authority.ca, undefined));
    expect(await clients[1]?.nextClose()).toEqual({ code: 3003, reason: 'credential revoked' });
    clients[1]?.destroy();
    const line = { reason: 'credential_revoked', identity: 'spiffe://y.test/d9' };
    expect(await waitForLog('session.end')).toMatchObject(line);
    expect(logsOf('session.end')).toHaveLength(1);
  });

  test('a TLS session that is resumed stands on the same certificate and authority', async () => {
    const second = await makeAuthority('Other CA');
    const theirs = await second.issue({ client: true, names: [{ type: 'url', value: 'spiffe://y.test/d9' }] });
    const { port, proxy, waitForLog } = await startProxy(configOf(authority.ca + second.ca, undefined));
    const session = await sessionOf(port, { ...theirs });
    expect(await comeBack(port, session, { ...theirs })).toBe('resumed');
    const client = await RawClient.connect(port, {
      tls: { rejectUnauthorized: false, servername: 'a.test', session, ...theirs },
    });
    expect((await client.upgrade({})).status).toBe(101);
    await proxy.reload(configOf(authority.ca, undefined));
    expect(await client.nextClose()).toEqual({ code: 3003, reason: 'credential revoked' });
    client.destroy();
    const line = { reason: 'credential_revoked', identity: 'spiffe://y.test/d9' };
    expect(await waitForLog('session.end', ({ reason }) => reason === 'credential_revoked')).toMatchObject(line);
  });
});
