import { describe, expect, test } from 'vitest';
import {
  type AcceptedRow,
  acceptanceTests,
  type RefusedRow,
  refusalTests,
  requestOf,
  sharedGate,
  startGate,
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
    { name: 'step-chat', match: { hosts: ['step.test'], path: '/chat/*' }, upstream: `${url}/7` },
    { name: 'step-other', match: { hosts: ['step.test'], path: '/*' }, upstream: `${url}/8` },
    { name: 'step-name', match: { hosts: ['step.test'], path: '/caf%C3%A9/@me/*' }, upstream: `${url}/9` },
    { name: 'bare', match: { hosts: ['app.test'], path: '/app/*' }, upstream: url, rewrite: '/*' },
    { name: 'based', match: { hosts: ['app.test'], path: '/based/*' }, upstream: `${url}/10`, rewrite: '/*' },
    { name: 'rooms', match: { hosts: ['app.test'], path: '/{room}/in/*' }, upstream: `${url}/11`, rewrite: '/r/*' },
    { name: 'fixed', match: { hosts: ['app.test'], path: '/{a}/fixed/*' }, upstream: `${url}/12`, rewrite: '/f' },
    {
      name: 'long',
      match: { hosts: ['app.test'], path: '/l/*' },
      upstream: `${url}/base`,
      rewrite: '/longer/*',
    },
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
const to = (host: string, target: string): string =>
  requestOf({ line: `GET ${target} HTTP/1.1`, omit: ['host'], fields: [`Host: ${host}`] });
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
  rows.push([
    'P2: an escape of a byte that needs none, or that the path of a route has, leads past that route',
    [
      '/%63hat/room',
      '/c%68at',
      '/cha%74/',
      '/%63%68%61%74/room?x',
      '/chat%2Froom',
      '/%63hat%5Croom',
      '/caf%c3%a9/@me/x',
      '/caf%C3%A9/%40me/x',
      '/caf%C3%A9/%40%6De',
    ].map((target) => to('step.test', target)),
    '400 encoded_path',
  ]);
  rows.push([
    'P2: an escape that moves the rest which a rewrite uses',
    ['/a%2Fin/in/x', '/a/in%2Fx/in/y', '/a%5cin/in'].map((target) => to('app.test', target)),
    '400 encoded_path',
  ]);
  refusalTests(gate, rows);

  acceptanceTests(
    gate,
    (
      [
        ['/chat/%72oom%2Fa', '/7/chat/%72oom%2Fa'],
        ['/%78/%63hat', '/8/%78/%63hat'],
        ['/chat%2563', '/8/chat%2563'],
        ['/%2563hat/x', '/8/%2563hat/x'],
        ['/caf%C3%A9/@me/%7e', '/9/caf%C3%A9/@me/%7e'],
      ] as const
    ).map(
      ([sent, got]): AcceptedRow => [
        `P2: ${sent} is of one route, escaped or not`,
        to('step.test', sent),
        { target: got, host: 'step.test' },
      ],
    ),
  );
  acceptanceTests(gate, [
    [
      'P2: a rest that is the same before and after decoding',
      to('app.test', '/app/a%2Fb/%63'),
      { target: '/a%2Fb/%63', host: 'app.test' },
    ],
    [
      'P2: a rest that the rewrite does not use',
      to('app.test', '/x%2Ffixed/fixed/y'),
      { target: '/12/f', host: 'app.test' },
    ],
  ]);

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
      '400 double_slash',
    ],
    ['P3: a backslash or a tab', ['/\\evil', '\\\\evil/x', '/\t/evil', '/\tevil'].map(toRoot), '400 target_char'],
  ];
  refusalTests(gate, rows);
  acceptanceTests(gate, [rootGets('P3: two slashes further on are an empty segment', '/a//evil.com//')]);
});

describe('what a rewrite and the path of a target make of a target', () => {
  const room = (start: string, length: number) => start + 'x'.repeat(length - start.length);

  refusalTests(gate, [
    [
      'P20: a rest that begins with two slashes is no target',
      ['/app//evil.example/x', '/app//', '/app///x?y', 'http://app.test/app//evil.example'].map((target) =>
        to('app.test', target),
      ),
      '400 double_slash',
    ],
    [
      'P21: a target that grows beyond the cap',
      [to('app.test', room('/l/', 8192 - 9)), to('app.test', room('/l/?', 8192 - 9))],
      '414 target_too_long',
    ],
  ]);

  acceptanceTests(gate, [
    [
      'P20: behind the path of a target it is an empty segment',
      to('app.test', '/based//x'),
      {
        target: '/10//x',
        host: 'app.test',
      },
    ],
    ['P20: one slash alone', to('app.test', '/app'), { target: '/', host: 'app.test' }],
    [
      'P21: one that reaches the cap',
      to('app.test', room('/l/', 8192 - 10)),
      {
        target: room('/base/longer/', 8192),
        host: 'app.test',
      },
    ],
  ]);

  test('P20: the line in the log says which route, and that the client did not send it so', async () => {
    const line = await gate.refuses(to('app.test', '/app//evil.example/x'), '400 double_slash');
    expect(line).toMatchObject({ route: 'bare', path: '/app//evil.example/x', cause: 'after the rewrite' });
  });

  test('P20: with a target of the upstream that has no path, it is refused whichever is chosen', async () => {
    const own = await startGate((url) => ({
      routes: [{ name: 'two', match: { path: '/app/*' }, upstream: 'two', rewrite: '/*' }],
      upstreams: { two: { targets: [{ url: `${url}/a` }, { name: 'bare', url }] } },
    }));
    for (let i = 0; i < 3; i += 1) await own.refuses(withTarget('/app//evil.example'), '400 double_slash');
  });

  test('P20: the slot of the built-in echo stays free', async () => {
    const own = await startGate(() => ({
      routes: [{ name: 'echo', match: { path: '/app/*' }, upstream: 'echo', rewrite: '/*' }],
      upstreams: { echo: { targets: [{ url: 'builtin:echo', max_sessions: 1 }] } },
    }));
    for (let i = 0; i < 3; i += 1) await own.refuses(withTarget('/app//evil.example/x'), '400 double_slash');
  });
});

describe('paths that begin with several slashes', () => {
  const merging = sharedGate((url) => ({
    listeners: [{ name: 'test', address: '127.0.0.1:0', health_path: '/healthz', paths: { leading_slashes: 'merge' } }],
    routes: [
      { name: 'all', upstream: url },
      { name: 'ws', match: { path: '/ws/*' }, upstream: `${url}/ws-base` },
      { name: 'app', match: { path: '/app/*' }, upstream: url, rewrite: '/*' },
    ],
  }));
  const get = (name: string, sent: string, got: string): AcceptedRow => [
    `P22: ${name}`,
    withTarget(sent),
    { target: got },
  ];

  acceptanceTests(merging, [
    get('two become one before a route is chosen', '//ws/a', '/ws-base/ws/a'),
    get('any number of them', '/////ws?x=//y', '/ws-base/ws?x=//y'),
    get('in an absolute target', 'http://framegate.test//ws', '/ws-base/ws'),
    get('nothing else is merged', '//a//b/', '/a//b/'),
    get('slashes alone', '//', '/'),
    get('an escaped one is none', '//%2Fx', '/%2Fx'),
  ]);

  refusalTests(merging, [
    ['P22: what is left is judged as ever', ['//../x', '//a/..'].map(withTarget), '400 dot_segment'],
    [
      'P22: behind a rewrite they are refused all the same',
      ['/app//x', '//app//x'].map(withTarget),
      '400 double_slash',
    ],
  ]);

  test('P22: health is asked for by the merged path', async () => {
    const client = await merging.connect();
    client.send('GET //healthz HTTP/1.1\r\nHost: framegate.test\r\n\r\n');
    expect((await client.readResponse()).head.line).toBe('HTTP/1.1 200 OK');
    await client.ended;
  });
});

describe('escaped slashes that a route keeps', () => {
  const keeping = sharedGate((url) => ({
    routes: [
      {
        name: 'cool',
        match: { path: '/cool/{document}/ws', encoded_slashes: 'keep' },
        upstream: `${url}/0`,
      },
      { name: 'files', match: { path: '/files/{name}/*', encoded_slashes: 'keep' }, upstream: url, rewrite: '/f/*' },
      { name: 'literal', match: { path: '/group%2fproject/*', encoded_slashes: 'keep' }, upstream: `${url}/2` },
      { name: 'admin', match: { path: '/cool/admin/*' }, upstream: `${url}/3` },
      { name: 'hooks', match: { path: '/hooks/{id}' }, upstream: `${url}/4` },
    ],
  }));
  const get = (name: string, sent: string, got: string): AcceptedRow => [
    `P23: ${name}`,
    withTarget(sent),
    { target: got },
  ];

  acceptanceTests(keeping, [
    get(
      'they are a part of their segment and go on as they came',
      '/cool/https%3A%2F%2Fa.example%2fx%5Cy/ws',
      '/0/cool/https%3A%2F%2Fa.example%2fx%5Cy/ws',
    ),
    get('a rest is what follows the segment', '/files/a%2Fb/c%2Fd', '/f/c%2Fd'),
    get('a route may be named by one', '/group%2fproject/x', '/2/group%2fproject/x'),
  ]);

  refusalTests(keeping, [
    [
      'P23: a dot segment behind one decoding is refused all the same',
      ['/cool/a%2F..%2Fb/ws', '/cool/..%2Fb/ws', '/cool/a%5C./ws'].map(withTarget),
      '400 dot_segment',
    ],
    [
      'P23: all other escapes are compared as ever',
      ['/co%6Fl/a%2Fb/ws', '/cool/%61dmin', '/cool/%61dmin/ws'].map(withTarget),
      '400 encoded_path',
    ],
    [
      'P2: what is escaped twice is decoded once, beside a kept slash too',
      [withTarget('/group%252Fproject/x')],
      '404 no_route',
    ],
    ['P23: other routes do not keep them', ['/hooks/a%2Fb'].map(withTarget), '400 encoded_path'],
    ['P23: no route is no route', ['/none/a%2Fb', '/cool/a/b/ws'].map(withTarget), '404 no_route'],
  ]);
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
