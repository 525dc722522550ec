// Sessions that stand on tokens, signed requests and client certificates: over real sockets.

import { describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { oneRoute, startProxy } from '../support/harness.ts';
import { JwksServer } from '../support/jwks-server.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { hs256, inSeconds, makeSigningKey, SECRET_TEXT, tokenOf } from '../support/tokens.ts';
import type { Head } from '../support/wire.ts';

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
    const token = tokenOf({ header: { alg: 'HS256' }, payload: { sub: 'u1', exp: inSeconds(60) }, sign: hs256 });
    const client = await RawClient.connect(port);
    const answer = client.upgrade({ headers: { 'Sec-WebSocket-Protocol': `chat, bearer, ${token}` } });
    const session = await backend.nextSession();
    expect((await session.request()).field('sec-websocket-protocol')).toBe('chat');
    expect((await answer).status).toBe(101);
    expect(await waitForLog('session.open')).toMatchObject({ route: 'test' });
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

  test('keys of a URL are there before the first handshake is judged, and a new one is found', async () => {
    const server = await JwksServer.listen();
    server.serve(RSA.jwk({ kid: 'a' }));
    const auth: ConfigInput['auth'] = {
      users: { jwt: { jwks: { url: server.url, cooldown: '1s' }, algorithms: ['RS256', 'ES256'] } },
    };
    const { port } = await startProxy(oneRoute('builtin:echo', { auth: ['users'] }, { auth }));
    const claims = { sub: 'u1', exp: inSeconds(60) };
    expect((await visit(port, { Authorization: `Bearer ${signed(claims)}` })).status).toBe(101);
    expect(server.asked).toEqual(['/jwks']);
  });
});
