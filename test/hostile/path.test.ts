import { describe, expect, test } from 'vitest';
import {
  type AcceptedRow,
  acceptanceTests,
  type RefusedRow,
  refusalTests,
  requestOf,
  sharedGate,
  withTarget,
} from './harness.ts';

const manyHosts = Array.from({ length: 120 }, (_, i) => `host-${i}.example`);

/** Every route's target has a base of its own, so that what the backend gets says which route it was. */
const gate = sharedGate((url) => ({
  routes: [
    { name: 'root', match: { hosts: ['root.test'] }, upstream: `${url}/root` },
    { name: 'public', match: { path: '/public/*' }, upstream: `${url}/1` },
    { name: 'admin', match: { path: '/admin/*' }, upstream: `${url}/2` },
    { name: 'exact', match: { path: '/exact' }, upstream: `${url}/3` },
    { name: 'cool', match: { path: '/cool/{document}/ws' }, upstream: `${url}/4` },
    { name: 'open', match: { path: '/open/*' }, upstream: `${url}/5` },
    { name: 'below', match: { path: '/open/secret/*' }, upstream: `${url}/6` },
    ...manyHosts.map((host, i) => ({ name: host, match: { hosts: [host] }, upstream: `${url}/h${i}` })),
  ],
}));

/** Requests to the host whose only route takes every path. */
const toRoot = (target: string): string =>
  requestOf({ line: `GET ${target} HTTP/1.1`, omit: ['host'], fields: ['Host: root.test'] });
const rootGets = (name: string, target: string): AcceptedRow => [
  name,
  toRoot(target),
  { target: `/root${target}`, host: 'root.test' },
];
const openGets = (name: string, target: string): AcceptedRow => [name, withTarget(target), { target: `/5${target}` }];

describe('dot segments (RFC 3986 5.2.4)', () => {
  const rows: RefusedRow[] = [
    [
      'P1: a segment that is one or two dots',
      [
        '/public/../admin',
        '/./',
        '/a/..',
        '/..',
        '/.',
        '/../',
        '/a/./b',
        '/a/../../b',
        '/a/.?x',
        '/..?/',
        '/.;/',
        '/..;a=b/x',
      ].map(toRoot),
      '400 dot_segment',
    ],
    [
      'P1: in an absolute target',
      [toRoot('http://root.test/a/../b'), toRoot('http://root.test/..')],
      '400 dot_segment',
    ],
  ];
  refusalTests(gate, rows);
  acceptanceTests(
    gate,
    ['/...', '/a..', '/..a', '/.well-known/a.', '/a/...b/c', '/?a=/../b', '/;..'].map((target) =>
      rootGets(`P1: ${target} has none`, target),
    ),
  );
});

describe('escapes (RFC 3986 2.1)', () => {
  const dots = [
    '/%2e%2e/x',
    '/%2E/x',
    '/a/.%2e',
    '/a/%2e.',
    '/a%2f..%2fb',
    '/a%2F.%2F',
    '/a%5C..%5Cb',
    '/a%5c..',
    '/%2e%2e%2f',
    '/%2e;x',
  ];
  const rows: RefusedRow[] = [
    ['P2: a dot segment behind one decoding', dots.map(toRoot), '400 dot_segment'],
    [
      'P2: % without two hex digits, and NUL',
      ['/%', '/%zz', '/%2', '/a%', '/%%41', '/%g0', '/%0g', '/%00', '/a%00.png', '/%u0041'].map(toRoot),
      '400 encoded_path',
    ],
    [
      'P2: an escape that leads to another route, to one where none was, or away from one',
      [
        '/public%2Fx',
        '/admin%2fx',
        '/open/secret%2Fx',
        '/open%5Csecret',
        '/open%2Fsecret',
        '/cool/a%2Fb/ws',
        '/cool%2Fa%2Fws',
      ].map(withTarget),
      '400 encoded_path',
    ],
  ];
  refusalTests(gate, rows);

  test('P2: a bad escape in a path of 8 KiB is refused as in a short one', async () => {
    await gate.refuses(toRoot(`/${'%41'.repeat(2700)}%`), '400 encoded_path');
    await gate.refuses(toRoot(`/${'%2F'.repeat(2700)}%2e`), '400 dot_segment');
  });

  acceptanceTests(gate, [
    rootGets('P2: all other escapes pass byte for byte', '/caf%C3%A9%20%41%7e%25%2e%2E%2ex/%ff%0d%0a'),
    openGets('P2: a slash in an escape that changes no route', '/open/https%3A%2F%2Fexample.com%2Fa/ws'),
    ['P2: one whole segment to both readings', withTarget('/cool/a%5Fb%2Ec/ws'), { target: '/4/cool/a%5Fb%2Ec/ws' }],
    rootGets('P2: nothing is decoded twice', '/%252e%252e/%252F'),
    rootGets('P2: the query is not judged', '/x?%zz%00%=../..&%2e%2e/'),
  ]);
});

describe('targets that some parsers take for another host', () => {
  const rows: RefusedRow[] = [
    [
      'P3: two slashes',
      ['//evil.com/x', '//', '///x', '//root.test/', 'http://root.test//evil.com/'].map(toRoot),
      '400 target_form',
    ],
    ['P3: a backslash or a tab', ['/\\evil', '\\\\evil/x', '/\t/evil', '/\tevil'].map(toRoot), '400 target_char'],
  ];
  refusalTests(gate, rows);
  acceptanceTests(gate, [rootGets('P3: two slashes further on are an empty segment', '/a//evil.com//')]);
});

describe('routes', () => {
  const rows: RefusedRow[] = [
    [
      'P4: ; is a byte of its segment',
      ['/admin;a=b', '/admin;', '/exact;x', '/cool/a/ws;b'].map(withTarget),
      '404 no_route',
    ],
    ['P4: parameters of a path hide no dot segment', ['/admin;/../x', '/a;b/..;c'].map(withTarget), '400 dot_segment'],
    [
      'P5: other segments, another case, another slash',
      [
        '/adminx',
        '/admi',
        '/ADMIN',
        '/Admin/x',
        '/exact/',
        '/exact/x',
        '/exac',
        '/cool/ws',
        '/cool//ws',
        '/cool/a/b/ws',
        '/cool/a/ws/',
      ].map(withTarget),
      '404 no_route',
    ],
    ['P8: no route for the path', ['/', '/other', '/?/admin'].map(withTarget), '404 no_route'],
  ];
  refusalTests(gate, rows);

  acceptanceTests(gate, [
    ['P4: ; inside a path', withTarget('/admin/a;b/c;'), { target: '/2/admin/a;b/c;' }],
    ['P5: the prefix itself', withTarget('/admin'), { target: '/2/admin' }],
    ['P5: the prefix and a slash', withTarget('/admin/'), { target: '/2/admin/' }],
    ['P5: below the prefix', withTarget('/admin/X?/public'), { target: '/2/admin/X?/public' }],
    ['P5: the longer prefix wins', withTarget('/open/secret/'), { target: '/6/open/secret/' }],
    ['P5: but not inside a segment', withTarget('/open/secrets'), { target: '/5/open/secrets' }],
    ['P5: an exact path', withTarget('/exact?a'), { target: '/3/exact?a' }],
  ]);

  test('P6: a Host in another case, with a port or a trailing dot has the same route among many', async () => {
    for (const i of [0, 59, 119]) {
      const name = manyHosts[i] ?? '';
      for (const host of [name, name.toUpperCase(), `${name}:8080`, `${name}.`, `Host-${i}.Example.:1`]) {
        const request = requestOf({ omit: ['host'], fields: [`Host: ${host}`] });
        await gate.accepts(request, { target: `/h${i}/`, host });
      }
    }
  });

  test('P8: the answer names no route and no backend', async () => {
    const client = await gate.connect();
    client.send(withTarget('/nowhere'));
    const answer = await client.readUntil(() => client.finSeen, 'FIN');
    const id = /"request_id":"([0-9a-f]{32})"/.exec(answer.toString('latin1'))?.[1] ?? '';
    const body = `{"status":404,"error":"no_route","request_id":"${id}"}`;
    expect(answer.toString('latin1').split('\r\n').sort()).toEqual(
      [
        'HTTP/1.1 404 Not Found',
        'Content-Type: application/json',
        `Content-Length: ${body.length}`,
        'Connection: close',
        'Cache-Control: no-store',
        '',
        body,
      ].sort(),
    );
    const line = await gate.refusalLine(id);
    expect(line).toMatchObject({ path: '/nowhere', host: 'framegate.test' });
    expect(Object.keys(line)).not.toContain('route');
  });

  test('P8: no route for the host', async () => {
    const own = requestOf({ line: 'GET /x HTTP/1.1', omit: ['host'], fields: ['Host: host-120.example'] });
    await gate.refuses(own, '404 no_route');
  });
});
