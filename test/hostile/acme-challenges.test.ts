// What proves names, as whoever likes asks for it on real sockets: the proofs of an order that waits, here one of
// another process that shares the folder, and nothing else.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { beforeAll, expect, test } from 'vitest';
import { newFolder } from '../acme/rig.ts';
import { type Authority, type Identity, makeAuthority } from '../support/certs.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { nowhere, type RunningProxy, startProxy } from '../support/harness.ts';
import { freePort } from '../support/pebble.ts';
import { RawClient } from '../support/raw-client.ts';

const TOKEN = 'a-token-of-another-process';
const PROOF = `${TOKEN}.${'x'.repeat(43)}`;
const PLACE = `/.well-known/acme-challenge/${TOKEN}`;

let authority: Authority;
let proving: Identity;
let served: Identity;
beforeAll(async () => {
  authority = await makeAuthority();
  proving = await authority.issue({ dns: ['a.test'], commonName: 'proving' });
  served = await authority.issue({ dns: ['served.test'], commonName: 'served' });
});

interface Running {
  readonly running: RunningProxy;
  readonly challenges: string;
  readonly tlsPort: number;
}

/** Its own orders fail: nobody listens where its authority would be. */
async function start(files: Readonly<Record<string, string>>): Promise<Running> {
  const dir = newFolder();
  const challenges = path.join(dir, 'challenges');
  mkdirSync(challenges);
  const directory = `https://127.0.0.1:${await freePort()}/dir`;
  const acme = { domains: ['a.test'], directory, dir, agree: true };
  const running = await startProxy({
    listeners: [
      { name: 'plain', address: '127.0.0.1:0', redirect_http: 'on', health_path: PLACE },
      { name: 'secure', address: '127.0.0.1:0', tls: { certificates: [served, { acme }] } },
    ],
    routes: [nowhere],
  });
  // Whoever orders first tidies up.
  await running.waitForLog('acme.failed');
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(challenges, name), text);
  const address = running.proxy.address('secure');
  return { running, challenges, tlsPort: typeof address === 'string' ? 0 : address.port };
}

/** The name in the certificate, the protocol, and what came behind the handshake before the end; or the alert. */
function handshake(port: number, options: ConnectionOptions): Promise<unknown> {
  return new Promise((resolve) => {
    const socket: TLSSocket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
    atTestEnd(() => void socket.destroy());
    let said = '';
    socket.on('data', (bytes: Buffer) => {
      said += bytes.toString('latin1');
    });
    socket.once('error', (error) => resolve(Reflect.get(error, 'code')));
    socket.once('secureConnect', () => {
      const name = socket.getPeerX509Certificate()?.subject;
      const protocol = socket.alpnProtocol;
      if (protocol !== 'acme-tls/1') resolve([name, protocol]);
      else socket.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
      socket.once('end', () => resolve([name, protocol, said]));
    });
  });
}

const REFUSED = 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL';

test('G40: who offers acme-tls/1 alone gets the proof of that name, and nothing over it', async () => {
  const pem = { 'tls-alpn-01.a.test': `${proving.key}\n${proving.cert}` };
  const { tlsPort, challenges } = await start(pem);
  const asking = { servername: 'a.test', ALPNProtocols: ['acme-tls/1'] };
  expect(await handshake(tlsPort, asking)).toEqual(['CN=proving', 'acme-tls/1', '']);
  expect(await handshake(tlsPort, { ...asking, maxVersion: 'TLSv1.2' })).toEqual(['CN=proving', 'acme-tls/1', '']);
  for (const servername of ['b.test', 'served.test', '../a.test', '']) {
    expect(await handshake(tlsPort, { ...asking, servername }), servername).toBe(REFUSED);
  }
  expect(await handshake(tlsPort, { ...asking, ALPNProtocols: ['acme-tls/1', 'http/1.1'] })).toEqual([
    'CN=served',
    'http/1.1',
  ]);
  expect(await handshake(tlsPort, { servername: 'a.test', ALPNProtocols: ['http/1.1'] })).toEqual([
    'CN=served',
    'http/1.1',
  ]);
  rmSync(path.join(challenges, 'tls-alpn-01.a.test'));
  expect(await handshake(tlsPort, asking)).toBe(REFUSED);
});

test('G40: a file there that is no key with its certificate proves nothing', async () => {
  const { tlsPort } = await start({ 'tls-alpn-01.a.test': 'root:x:0:0', 'tls-alpn-01.served.test': served.cert });
  for (const servername of ['a.test', 'served.test']) {
    expect(await handshake(tlsPort, { servername, ALPNProtocols: ['acme-tls/1'] })).toBe(REFUSED);
  }
});

/** All that is answered; an answer of ours is the last of its connection. */
async function answerOf({ port }: RunningProxy, request: string): Promise<string> {
  const client = await RawClient.connect(port);
  client.send(`${request}\r\nHost: a.test\r\n\r\n`);
  return (await client.readToEnd()).toString('latin1');
}

test('G41: the proof of an open order is answered on a listener without tls, before all else', async () => {
  const { running } = await start({ [`http-01.${TOKEN}`]: PROOF });
  const answer = await answerOf(running, `GET ${PLACE} HTTP/1.1`);
  expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(answer.endsWith(`\r\n\r\n${PROOF}`)).toBe(true);
  expect(await answerOf(running, `HEAD ${PLACE} HTTP/1.1`)).toMatch(/Content-Length: 70\r\n(?:.+\r\n)*\r\n$/);
});

test.each([
  ['another token', `GET ${PLACE}x HTTP/1.1`],
  ['a way out of the folder', `GET /.well-known/acme-challenge/..%2F${TOKEN} HTTP/1.1`],
  ['a query', `GET ${PLACE}?x HTTP/1.1`],
  ['another method', `POST ${PLACE} HTTP/1.1\r\nContent-Length: 0`],
  ['an upgrade', `GET ${PLACE} HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket`],
])('G41: %s is a request like all', async (_, request) => {
  const { running } = await start({ [`http-01.${TOKEN}`]: PROOF });
  expect(await answerOf(running, request)).not.toContain(PROOF);
});

test.each([
  ['no proof', 'root:x:0:0'],
  ['the proof of another token', `b${PROOF}`],
  ['more than a proof', `${PROOF}\nroot:x:0:0`],
])('G41: a file there that holds %s is shown to nobody', async (_, text) => {
  const { running } = await start({ [`http-01.${TOKEN}`]: text });
  expect(await answerOf(running, `GET ${PLACE} HTTP/1.1`)).not.toMatch(/root|xxxx/);
});
