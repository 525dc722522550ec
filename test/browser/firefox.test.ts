// What Firefox sends, byte by byte: the fields of its handshake in its order and spelling, over TCP and over TLS.

import { beforeAll, describe, expect, test } from 'vitest';
import { makeCertificates, type TestCertificates } from '../support/certs.ts';
import { oneRoute, type RunningProxy, startProxy } from '../support/harness.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { acceptFor, Opcode } from '../support/wire.ts';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const AGENT = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';

interface Form {
  readonly encodings: string;
  readonly destination: string;
  /** Between the key and Connection, each with its line end. */
  readonly more: string;
  readonly origin: string;
}

/** Firefox begins with its general fields, and puts Upgrade last. */
function request({ encodings, destination, more, origin }: Form): string {
  return `${[
    'GET /chat?room=1 HTTP/1.1',
    'Host: gate.test:8443',
    `User-Agent: ${AGENT}`,
    'Accept: */*',
    'Accept-Language: de,en-US;q=0.7,en;q=0.3',
    `Accept-Encoding: ${encodings}`,
    'Sec-WebSocket-Version: 13',
    `Origin: ${origin}`,
    'Sec-WebSocket-Protocol: chat.v1, chat.v2',
    'Sec-WebSocket-Extensions: permessage-deflate',
    `Sec-WebSocket-Key: ${KEY}`,
  ].join('\r\n')}\r\n${more}${[
    'Connection: keep-alive, Upgrade',
    'Cookie: sid=abc; theme=dark',
    `Sec-Fetch-Dest: ${destination}`,
    'Sec-Fetch-Mode: websocket',
    'Sec-Fetch-Site: same-site',
    'Pragma: no-cache',
    'Cache-Control: no-cache',
    'Upgrade: websocket',
  ].join('\r\n')}\r\n\r\n`;
}

const TODAY: Form = {
  encodings: 'gzip, deflate, br, zstd',
  destination: 'empty',
  more: '',
  origin: 'https://app.test',
};

const FORMS: readonly (readonly [string, Form])[] = [
  ['today', TODAY],
  [
    'older, with its wish not to be tracked',
    { encodings: 'gzip, deflate, br', destination: 'websocket', more: 'DNT: 1\r\n', origin: 'https://app.test' },
  ],
  [
    'with both signals, from a page without an origin',
    { encodings: 'gzip, deflate', destination: 'empty', more: 'DNT: 1\r\nSec-GPC: 1\r\n', origin: 'null' },
  ],
];

let certificates: TestCertificates;
beforeAll(async () => {
  certificates = await makeCertificates();
});

async function start(backend: RawBackend, secure: boolean): Promise<RunningProxy> {
  const tls = { certificates: [certificates.good] };
  const listeners = [{ name: 'test', address: '127.0.0.1:0', ...(secure ? { tls } : {}) }];
  return startProxy(oneRoute(backend.url, { origins: ['https://app.test', 'null'] }, { listeners }));
}

const connect = ({ port }: RunningProxy, secure: boolean): Promise<RawClient> =>
  RawClient.connect(port, secure ? { tls: { ca: certificates.ca, servername: 'backend.test' } } : {});

describe.each([
  ['over TCP', false],
  ['over TLS', true],
] as const)('a handshake of Firefox %s', (_, secure) => {
  test.each(FORMS)('%s: is let in, and the backend has what it says', async (_name, form) => {
    const backend = await RawBackend.listen();
    const client = await connect(await start(backend, secure), secure);
    client.send(request(form));
    const session = await backend.nextSession({
      'Sec-WebSocket-Protocol': 'chat.v2',
      'Sec-WebSocket-Extensions': 'permessage-deflate',
    });
    const sent = await session.request();
    const answer = await client.readHead();
    expect([answer.status, answer.field('sec-websocket-accept')]).toEqual([101, acceptFor(KEY)]);
    expect(answer.field('sec-websocket-extensions')).toBe('permessage-deflate');
    expect(answer.field('sec-websocket-protocol')).toBe('chat.v2');
    const fields = ['connection', 'upgrade', 'keep-alive', 'origin', 'cookie', 'user-agent'];
    expect(fields.map((name) => sent.field(name))).toEqual([
      'Upgrade',
      'websocket',
      undefined,
      form.origin,
      'sid=abc; theme=dark',
      AGENT,
    ]);
    expect(['dest', 'mode', 'site'].map((name) => sent.field(`sec-fetch-${name}`))).toEqual([
      form.destination,
      'websocket',
      'same-site',
    ]);
    expect(sent.field('x-forwarded-proto')).toBe(secure ? 'https' : 'http');
    client.sendFrame({ opcode: Opcode.Text, payload: Buffer.from('x') });
    expect((await session.nextFrame()).payload.toString()).toBe('x');
  });

  test('from a foreign page: 403', async () => {
    const backend = await RawBackend.listen();
    const client = await connect(await start(backend, secure), secure);
    client.send(request({ ...TODAY, origin: 'https://app.test.evil.test' }));
    const response = await client.readResponse();
    expect([response.status, response.json()]).toMatchObject([403, { error: 'origin_not_allowed' }]);
    expect(backend.connections).toBe(0);
  });
});
