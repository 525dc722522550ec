import { describe, expect, test } from 'vitest';
import {
  acceptanceTests,
  type Bytes,
  expectEnd,
  expectRefusal,
  type RefusedRow,
  refusalTests,
  requestOf,
  sharedGate,
} from './harness.ts';

const ORIGINS = ['https://good.example', 'http://dev.example:3000', 'https://*.good.example'];

/** Requests for a path with these fields. */
const asks = (path: string, ...fields: string[]): Bytes => requestOf({ line: `GET ${path} HTTP/1.1`, fields });
const from = (path: string, ...origins: string[]): Bytes => asks(path, ...origins.map((one) => `Origin: ${one}`));
const FORBIDDEN = '403 origin_not_allowed';

describe('origins', () => {
  const gate = sharedGate((url) => ({
    routes: [
      { match: { path: '/listed' }, upstream: url, origins: ORIGINS },
      { match: { path: '/same' }, upstream: url, origins: ['same'] },
      { match: { path: '/opaque' }, upstream: url, origins: ['null'] },
      { match: { path: '/any' }, upstream: url, origins: 'any' },
      { match: { path: '/strict' }, upstream: url, origins: 'any', missing_origin: 'refuse' },
      { match: { path: '/loose' }, upstream: url, origins: ORIGINS, missing_origin: 'allow' },
      { match: { path: '/ordered' }, upstream: url, origins: ORIGINS, subprotocols: ['chat'] },
    ],
  }));
  const refused = (name: string, ...origins: string[]): RefusedRow => [
    name,
    origins.map((origin) => from('/listed', origin)),
    FORBIDDEN,
  ];

  refusalTests(gate, [
    refused('O1: not in the list of the route', 'https://evil.example'),
    ['O1: the same on the route that lists only itself', [from('/same', 'https://good.example')], FORBIDDEN],
    [
      'O1: before what the route says of subprotocols',
      [asks('/ordered', 'Origin: https://evil.example', 'Sec-WebSocket-Protocol: other')],
      FORBIDDEN,
    ],
    refused('O2: null', 'null', 'NULL'),
    refused(
      'O2: a name that has the right one in it',
      ...['https://good.example.evil.com', 'https://evilgood.example', 'https://evil-good.example'],
      ...['https://goodXexample', 'https://good.example.', 'https://a.good.example.evil.com', 'https://.good.example'],
    ),
    refused(
      'O2: another port or scheme',
      ...['https://good.example:8443', 'https://good.example:80', 'http://good.example', 'wss://good.example'],
      ...['http://dev.example', 'http://dev.example:30000', 'http://a.good.example', 'https://a.good.example:444'],
    ),
    refused(
      'O2: more than an origin',
      ...['https://good.example/', 'https://good.example?', 'https://good.example#', 'https://good.example\\x'],
      ...['https://evil.com@good.example', 'https://good.example@evil.com', 'https://evil.com/https://good.example'],
      ...['https://good.example https://good.example', 'https://good.example, https://good.example'],
    ),
    refused('O2: patterns', '*', 'https://*.good.example', 'https://*', '.*', 'https://[good.example]'),
    [
      'O2: an international name that looks the same',
      [from('/listed', 'https://xn--god-fka.example'), from('/listed', 'https://good.example%E3%80%82')],
      FORBIDDEN,
    ],
    ['O2: the host of the listener with another port', [from('/same', 'https://framegate.test:8443')], FORBIDDEN],
    ['O3: none, where one has to be', [asks('/strict')], FORBIDDEN],
    refused('O4: a port that is no number', 'http://a:b', 'https://good.example:', 'https://good.example:+443'),
    refused('O4: 4 KiB', `https://${'a'.repeat(4_096)}`, `https://${'a.'.repeat(2_048)}good.example`),
    ['O4: empty', [from('/listed', '')], FORBIDDEN],
    ['O4: two', [from('/listed', 'https://good.example', 'https://good.example')], '400 dup_field'],
    ['O4: a byte above 0x7F', [from('/listed', 'https://g\xf6od.example')], '400 obs_text'],
  ]);

  const passes = (path: string, origin: string) => ({ target: path, passed: [`Origin: ${origin}`] });
  acceptanceTests(gate, [
    ...['https://good.example', 'HTTPS://GOOD.example:443', 'http://dev.example:3000', 'https://a.b.good.example'].map(
      (origin) =>
        [
          `O2: lets ${origin} in, which goes on as it came`,
          from('/listed', origin),
          passes('/listed', origin),
        ] as const,
    ),
    ['O2: same', from('/same', 'https://framegate.test'), passes('/same', 'https://framegate.test')],
    ['O2: null where the list has it', from('/opaque', 'null'), passes('/opaque', 'null')],
    ['O3: none is let in, unless it has to be there', asks('/listed'), { target: '/listed' }],
    ['O3: the same where it is allowed', asks('/loose'), { target: '/loose' }],
    ['O4: whatever stands there, where any does', from('/any', 'http://a:b'), passes('/any', 'http://a:b')],
  ]);

  test('O2: what an untrusted peer says its Host was is not believed', async () => {
    const request = asks('/same', 'Origin: https://good.example', 'X-Forwarded-Host: good.example');
    const client = await gate.connect();
    client.send(request);
    expectRefusal(await client.readResponse(), FORBIDDEN);
    await expectEnd(client);
  });

  test('O1: the log says which Origin it was, or that there was none', async () => {
    expect(await gate.refuses(from('/listed', 'https://evil.example'), FORBIDDEN)).toMatchObject({
      origin: 'https://evil.example',
      route: '/listed',
    });
    expect(await gate.refuses(asks('/strict'), FORBIDDEN)).toMatchObject({ cause: 'no Origin', route: '/strict' });
  });
});

describe('origins behind a trusted proxy', () => {
  const gate = sharedGate((url) => ({
    trusted_proxies: ['127.0.0.0/8'],
    routes: [{ match: { path: '/same' }, upstream: url, origins: ['same'] }],
  }));
  const shown = 'X-Forwarded-Host: shown.example:8443';

  refusalTests(gate, [
    [
      'O2: its own Host, which the browser does not know',
      [asks('/same', 'Origin: https://framegate.test', shown)],
      FORBIDDEN,
    ],
    [
      'O2: one of several hosts that are claimed',
      [
        asks('/same', 'Origin: https://shown.example:8443', shown, 'X-Forwarded-Host: evil.example'),
        asks('/same', 'Origin: https://a.example', 'X-Forwarded-Host: a.example, b.example'),
      ],
      FORBIDDEN,
    ],
  ]);

  test('O2: same is what it says its Host was', async () => {
    const { client } = await gate.reaches(asks('/same', 'Origin: https://shown.example:8443', shown), {
      target: '/same',
      passed: ['Origin: https://shown.example:8443', shown],
      forwardedLines: [
        'X-Forwarded-For: 127.0.0.1',
        'X-Forwarded-Proto: http',
        `X-Forwarded-Port: ${gate.port}`,
        'X-Request-ID: <id>',
      ],
    });
    client.destroy();
  });
});

describe('addresses', () => {
  const BARRED = '403 address_not_allowed';
  const claims = (path: string, client: string, ...fields: string[]) =>
    asks(path, `X-Forwarded-For: ${client}`, ...fields);
  const lists = { allow: ['192.0.2.0/24', '2001:db8::/32', 'fe80::/10'], deny: ['192.0.2.128/25'] };

  describe('behind a trusted proxy', () => {
    const gate = sharedGate((url) => ({
      trusted_proxies: ['127.0.0.0/8'],
      routes: [{ upstream: url, ...lists, origins: ['same'] }],
    }));

    refusalTests(gate, [
      [
        'O9: not allowed, or denied',
        ['192.0.3.1', '192.0.2.128', '2001:db9::1', '127.0.0.1'].map((client) => claims('/', client)),
        BARRED,
      ],
      [
        'O9: in another spelling',
        ['::ffff:192.0.2.128', '::FFFF:c000:280', '[::ffff:192.0.2.200]:443', 'fec0::1%eth0'].map((one) =>
          claims('/', one),
        ),
        BARRED,
      ],
      ['O9: behind addresses that somebody made up', [claims('/', '192.0.2.1, 192.0.2.128')], BARRED],
      ['O9: unreadable: then it is the proxy', [claims('/', 'unknown'), claims('/', '192.0.2.1, _x')], BARRED],
      ['O9: before its Origin is looked at', [claims('/', '192.0.3.1', 'Origin: https://evil.example')], BARRED],
    ]);

    test('O9: those in the list come in, in each spelling', async () => {
      for (const client of [
        '192.0.2.127',
        '::ffff:192.0.2.1',
        '2001:db8::1',
        'fe80::1%eth0',
        '192.0.2.128, 192.0.2.1',
      ]) {
        gate.dials += 1;
        const asked = await gate.connect();
        asked.send(claims('/', client));
        const server = await gate.backend.nextConnection();
        await server.head();
        asked.destroy();
        await server.closed;
      }
    });
  });

  describe('without a trusted proxy', () => {
    const gate = sharedGate((url) => ({ routes: [{ upstream: url, ...lists }] }));

    test('O9: what a peer claims counts for nothing', async () => {
      for (const client of ['192.0.2.1', '2001:db8::1']) {
        const asked = await gate.connect();
        asked.send(claims('/', client));
        expectRefusal(await asked.readResponse(), BARRED);
        await expectEnd(asked);
      }
    });
  });
});
