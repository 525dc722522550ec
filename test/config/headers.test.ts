// `headers`: which names and values a config may write, and what of a value is searched for placeholders.

import { describe, expect, test } from 'vitest';
import { loadObject } from '../../src/config/load.ts';
import { renderConfig } from '../../src/config/render.ts';
import { errorsOf, loaded, objectErrors, problemsOf } from './loading.ts';

const route = (headers: string, rest = '') => `routes: [{ upstream: builtin:echo, ${rest}headers: ${headers} }]`;
const requestSet = (set: string, rest = '') => route(`{ request: { set: ${set} } }`, rest);
/** Without positions. */
const errors = (...text: Parameters<typeof errorsOf>) => errorsOf(...text).map((error) => error.replace(/^\S+ /, ''));
const AT = 'routes[0].headers.request';

test('both sides, each with what is set and removed; nothing where nothing is said', () => {
  const { routes } = loaded(
    `routes:
  - upstream: builtin:echo
    headers:
      request: { set: { X-User: "{client_ip}", x-b: a }, remove: [X-Debug] }
      response: { set: { Server: "" } }
  - { upstream: builtin:echo, match: { path: /b }, headers: { response: { remove: [Server] } } }
  - { upstream: builtin:echo, match: { path: /c } }`,
  );
  const none = { set: {}, remove: [] };
  expect(routes.map(({ headers }) => headers)).toEqual([
    {
      request: { set: { 'X-User': '{client_ip}', 'x-b': 'a' }, remove: ['X-Debug'] },
      response: { set: { Server: '' }, remove: [] },
    },
    { request: none, response: { set: {}, remove: ['Server'] } },
    { request: none, response: none },
  ]);
});

describe('names', () => {
  const OWN = (name: string) => `${name} is framegate's own: it can be neither set nor removed`;

  test.each([
    ...['Host', 'connection', 'Upgrade', 'Sec-WebSocket-Key', 'sec-websocket-x', 'Content-Length', 'Expect', 'TE'],
    ...['X-Forwarded-For', 'x-forwarded-prefix', 'X-Forwarded', 'X-Real-IP', 'X-Request-ID', 'Via', 'Forwarded'],
    ...['X-Framegate-Session', 'Transfer-Encoding', 'Keep-Alive', 'Trailer', 'Proxy-Authorization', 'HTTP2-Settings'],
  ])('%s cannot be named in requests', (name) => {
    expect(errors(requestSet(`{ ${name}: a }`))).toEqual([`${AT}.set.${name}: ${OWN(name)}`]);
    expect(errors(route(`{ request: { remove: [${name}] } }`))).toEqual([`${AT}.remove[0]: ${OWN(name)}`]);
  });

  test.each(['Connection', 'upgrade', 'Sec-WebSocket-Accept', 'Content-Length', 'Transfer-Encoding', 'X-Framegate-A'])(
    '%s cannot be named in answers',
    (name) => {
      const at = 'routes[0].headers.response';
      expect(errors(route(`{ response: { set: { ${name}: a } } }`))).toEqual([`${at}.set.${name}: ${OWN(name)}`]);
      expect(errors(route(`{ response: { remove: [${name}] } }`))).toEqual([`${at}.remove[0]: ${OWN(name)}`]);
    },
  );

  test.each(['Authorization', 'Cookie', 'Origin', 'Remote-User', 'CF-Connecting-IP', 'X', 'x-1', 'Forwarded-For'])(
    '%s can be',
    (name) => {
      expect(errors(requestSet(`{ ${name}: a }`))).toEqual([]);
      expect(errors(route(`{ request: { remove: [${name}] } }`))).toEqual([]);
    },
  );

  test("Host and Via are only a backend's in answers", () => {
    expect(errors(route('{ response: { set: { Via: a, Host: b, X-Request-ID: c, Set-Cookie: d } } }'))).toEqual([]);
  });

  test.each(['X_User', 'X.User', 'a b', 'é', '"a:"', '"a\\r\\nb"', '""', 'a'.repeat(65)])('%s is no name', (name) => {
    const [error, ...more] = errors(requestSet(`{ ${name}: a }`));
    expect([error?.replace(/^.*?: a field/, 'a field'), ...more]).toEqual([
      'a field here has 1 to 64 letters, digits and "-" in its name',
    ]);
    expect(errors(route(`{ request: { remove: [${name}] } }`))).toHaveLength(1);
  });

  test('the longest name, and one that JavaScript knows', () => {
    expect(errors(requestSet(`{ ${'a'.repeat(64)}: a, toString: b, hasOwnProperty: c }`))).toEqual([]);
  });

  test.each([
    ['{ set: { X-A: a, x-a: b } }', '.set.x-a', 'X-A'],
    ['{ remove: [X-A, X-a] }', '.remove[1]', 'X-A'],
    ['{ set: { X-A: a }, remove: [X-B, x-A] }', '.remove[1]', 'X-A'],
  ])('each once, whatever its case: %s', (text, at, first) => {
    const problem = `${first} stands here already: a field is set or removed once`;
    expect(errors(route(`{ request: ${text} }`))).toEqual([`${AT}${at}: ${problem}`]);
    const answer = errors(route(`{ response: ${text} }`));
    expect(answer).toEqual([`routes[0].headers.response${at}: ${problem}`]);
  });
});

describe('values', () => {
  const value = (text: string, rest = '') => errors(requestSet(`{ X-A: ${text} }`, rest));
  const at = `${AT}.set.X-A`;
  const braces = `${at}: a brace here begins or ends a {placeholder}: write "{{" or "}}" for a brace`;

  test.each(['"{client_ip}"', '"a {{b}} {query.token}"', '""', '"{header.X-B}, {request_id}"', "'{client_cert.san}'"])(
    '%s',
    (text) => expect(value(text)).toEqual([]),
  );

  test.each(['"{"', '"}"', '"{client_ip"', '"a{b{client_ip}}"'])('%s: a single brace', (text) => {
    expect(value(text)).toEqual([braces]);
  });

  test.each([
    ['"{client-ip}"', 'there is no placeholder {client-ip} (did you mean "client_ip"?)'],
    ['"{clinet_ip}"', 'there is no placeholder {clinet_ip} (did you mean "client_ip"?)'],
    ['"{client_cert.sha265}"', 'there is no placeholder {client_cert.sha265} (did you mean "client_cert.sha256"?)'],
    [
      '"{header.}"',
      '{header.}: expected a field that passes as the client sent it, of 1 to 64 letters, digits and "-"',
    ],
    [
      '"{header.Upgrade}"',
      '{header.Upgrade}: expected a field that passes as the client sent it, of 1 to 64 letters, digits and "-"',
    ],
    ['"{query.a b}"', '{query.a b}: expected a name of 1 to 128 visible ASCII characters behind the dot'],
    ['"é"', 'a value here is printable ASCII'],
    ['"a\\r\\nX-Admin: 1"', 'a value here is printable ASCII'],
    ['"a\\tb"', 'a value here is printable ASCII'],
    ['"***"', '*** stands where a secret was: write the secret, or {file: path}'],
    ['{client_ip}', 'expected text, or {file: path}; a value that begins with "{" needs quotes'],
    ['[a]', 'expected text, or {file: path}; a value that begins with "{" needs quotes'],
    [`"${'a'.repeat(4097)}"`, 'over 4096 characters'],
  ])('%s', (text, problem) => expect(value(text)).toEqual([`${at}: ${problem}`]));

  test.each([
    ['"{claim.}"', '{claim.}: expected a name of 1 to 128 visible ASCII characters behind the dot'],
    ['"{forward.x_user}"', '{forward.x_user}: expected a field that take of a forward method lists'],
    ['"{identiy}"', 'there is no placeholder {identiy} (did you mean "identity"?)'],
    ['"{claims.sub}"', 'there is no placeholder {claims.sub}: there are'],
  ])('%s is none about auth', (text, problem) => {
    expect(value(text)).toEqual([expect.stringContaining(`${at}: ${problem}`)]);
  });

  test('one that is quite unknown is answered with all that are known', () => {
    expect(value('"{zzzzzzzz}"')[0]).toContain('{zzzzzzzz}: there are {client_ip}, {peer_ip}, {host}, {path}');
  });

  test('4096 characters are not too long', () => {
    expect(value(`"${'a'.repeat(4096)}"`)).toEqual([]);
  });

  test('{path.NAME} is a {NAME} of the route', () => {
    const rest = 'match: { path: "/{room}/{user}/*" }, ';
    expect(value('"{path.room} {path.user}"', rest)).toEqual([]);
    expect(value('"{path.rom}"', rest)).toEqual([`${at}: {path.rom}: match.path has no {rom} (did you mean "room"?)`]);
    expect(value('"{path.room}"')).toEqual([`${at}: {path.room}: match.path has no {room}`]);
    // The path is at fault, and it has been told.
    expect(value('"{path.room}"', 'match: { path: "{room}" }, ')).toHaveLength(1);
  });

  test('{header.NAME} is not one that a route sets', () => {
    const text = `routes:
  - { upstream: builtin:echo, headers: { request: { set: { X-A: a } } } }
  - { upstream: builtin:echo, match: { path: /b }, headers: { response: { set: { X-B: "{header.x-a}" } } } }`;
    expect(errors(text)).toEqual([
      'routes[1].headers.response.set.X-B: {header.x-a} never has a value: ' +
        "routes[0] sets this field, so the client's own is removed first",
    ]);
  });
});

describe('defaults', () => {
  const text = `
defaults: { headers: { request: { set: { X-A: "{client_ip}" }, remove: [X-B] }, response: { remove: [Server] } } }
routes:
  - { upstream: builtin:echo }
  - { upstream: builtin:echo, match: { path: /b }, headers: { request: { set: { X-C: c } } } }
  - { upstream: builtin:echo, match: { path: /c }, headers: { response: {} } }`;
  const none = { set: {}, remove: [] };
  const request = { set: { 'X-A': '{client_ip}' }, remove: ['X-B'] };
  const response = { set: {}, remove: ['Server'] };

  test('each way is of the route, or else of defaults, and never of both', () => {
    expect(loaded(text).routes.map(({ headers }) => headers)).toEqual([
      { request, response },
      { request: { set: { 'X-C': 'c' }, remove: [] }, response },
      { request, response: none },
    ]);
    expect(loaded(renderConfig(loaded(text)))).toEqual(loaded(text));
  });

  test('{path.NAME} is one of every route that takes it', () => {
    const headers = 'defaults: { headers: { request: { set: { X-A: "{path.room}" } } } }';
    const own = 'headers: { request: {} }';
    const one = (path: string, rest = '') => `{ upstream: builtin:echo, match: { path: "${path}" }, ${rest} }`;
    expect(errors(`${headers}\nroutes: [${one('/{room}')}, ${one('/b', own)}]`)).toEqual([]);
    expect(errors(`${headers}\nroutes: [${one('/{room}')}, ${one('/b')}, ${one('/c')}]`)).toEqual([
      'defaults.headers.request.set.X-A: {path.room}: match.path has no {room}, in routes[1]',
    ]);
  });

  test('{header.NAME} is none that they set, taken over or not', () => {
    const own = 'headers: { request: { set: { X-B: "{header.X-A}" } } }';
    const headers = 'defaults: { headers: { request: { set: { X-A: a, x-a: b } } } }';
    expect(errors(`${headers}\nroutes: [{ upstream: builtin:echo, ${own} }]`)).toEqual([
      'defaults.headers.request.set.x-a: X-A stands here already: a field is set or removed once',
      expect.stringContaining('{header.X-A} never has a value: defaults sets this field'),
    ]);
  });

  test('a secret of theirs is shown nowhere', () => {
    const secret =
      'defaults: { headers: { request: { set: { X-Key: { file: s } } }, response: { set: { X-R: { file: s } } } } }';
    const routes =
      'routes: [{ upstream: builtin:echo }, { upstream: builtin:echo, match: { path: /b }, headers: { request: {} } }]';
    const config = loaded(`${secret}\n${routes}`, { files: { s: 'hunter2' } });
    expect(config.routes[0]?.headers.request.set).toEqual({ 'X-Key': 'hunter2' });
    expect(renderConfig(config)).not.toContain('hunter2');
    expect(renderConfig(config).match(/\*\*\*/g)).toHaveLength(5);
  });
});

describe('only what is written is searched', () => {
  const setOf = (text: string, around: Parameters<typeof loaded>[1] = {}) =>
    loaded(requestSet(`{ X-A: ${text} }`), around).routes[0]?.headers.request.set['X-A'];
  const env = { A: '{client_ip}', B: 'a}b{', C: '42', D: 'true', E: '}}{{' };

  test.each([
    [`"\${A}"`, '{{client_ip}}'],
    [`"{peer_ip} \${A} {host}"`, '{peer_ip} {{client_ip}} {host}'],
    [`"\${B}\${B}"`, 'a}}b{{a}}b{{'],
    [`"\${E}"`, '}}}}{{{{'],
    [`"\${C}"`, '42'],
    [`"\${D}"`, 'true'],
    [`"\${C} {host}"`, '42 {host}'],
    [`"$\${{A}}"`, `\${{A}}`],
    [`"\${NO:-{x}}"`, null],
  ])('%s', (text, value) => {
    if (value === null) expect(errors(requestSet(`{ X-A: ${text} }`), { env })[0]).toContain('a brace here');
    else expect(setOf(text, { env })).toBe(value);
  });

  test('nothing of a file is, and none of it is shown', () => {
    const files = { s: 'Bearer {client_ip}\n', bad: 'secret-é' };
    expect(setOf('{ file: s }', { files })).toBe('Bearer {{client_ip}}');
    const shown = renderConfig(loaded(requestSet('{ X-A: { file: s }, X-B: b }'), { files }));
    expect(shown).toContain('X-A: "***"');
    expect(shown).toContain('X-B: b');
    expect(shown).not.toContain('Bearer');
    expect(errors(requestSet('{ X-A: { file: bad } }'), { files })).toEqual([
      `${AT}.set.X-A: the text of this file is not what this key takes`,
    ]);
  });

  test('all of an object is written text, but for files', () => {
    const set = { 'X-A': '{client_ip}', 'X-B': `\${A}` };
    expect(objectErrors({ routes: [{ upstream: 'builtin:echo', headers: { request: { set } } }] })).toEqual([
      'routes[0].headers.request.set.X-B: there is no placeholder {A}: there are {client_ip}, {peer_ip}, {host}, ' +
        '{path}, {request_id}, {route}, {listener}, {sni}, {tls_version}, {client_cert.subject}, {client_cert.san}, ' +
        '{client_cert.sha256}, {identity}, {auth}, {path.NAME}, {query.NAME}, {header.NAME}, {claim.NAME}, ' +
        '{forward.NAME}',
    ]);
    const ok = { 'X-A': '{client_ip}', 'X-B': { file: 's' } };
    const { config } = loadObject(
      { routes: [{ upstream: 'builtin:echo', headers: { request: { set: ok } } }] },
      { baseDir: '/', readFile: () => Buffer.from('{x}') },
    );
    expect(config.routes[0]?.headers.request.set).toEqual({ 'X-A': '{client_ip}', 'X-B': '{{x}}' });
  });

  test('what is rendered loads to the same', () => {
    const config = loaded(requestSet(`{ X-A: "\${A} {client_ip} {{}} \${E}", X-B: "$\${{b}}", X-C: "" }`), { env });
    expect(loaded(renderConfig(config)).routes).toEqual(config.routes);
  });
});

describe('placeholders about auth', () => {
  const AUTH = `auth:
  ask: { forward: { url: "http://127.0.0.1:1/", take: [X-User, x-plan] } }
  keys: { api_key: { keys: [{ name: a, sha256: "${'a'.repeat(64)}" }] } }
  users: { jwt: { secret: "${'s'.repeat(32)}", algorithms: [HS256] } }
`;
  const problems = (auth: string, value: string) =>
    problemsOf(`${AUTH}${requestSet(`{ X-A: "${value}" }`, auth)}`)
      .filter(({ path }) => path.startsWith(AT))
      .map(({ severity, message }) => `${severity}: ${message}`);

  test.each([
    ['auth: [keys], ', '{identity} {auth}'],
    ['auth: [keys, users], ', '{claim.realm_access.roles} {claim.https://a/b}'],
    ['auth: [keys, ask, anonymous], ', '{forward.X-User} {forward.x-plan}'],
  ])('%s%s', (auth, value) => expect(problems(auth, value)).toEqual([]));

  test.each([
    ['', '{identity}', 'warning: {identity} never has a value: nobody is asked for a credential here'],
    ['auth: [keys], ', '{claim.sub}', 'warning: {claim.sub} never has a value: no method here knows it'],
    ['auth: [users], ', '{forward.x-user}', 'warning: {forward.x-user} never has a value: no method here knows it'],
    [
      'auth: [ask], ',
      '{forward.x-usr}',
      'error: {forward.x-usr}: no forward method has x-usr in its take (did you mean "x-user"?)',
    ],
  ])('%s%s: %s', (auth, value, problem) => expect(problems(auth, value)).toEqual([problem]));
});
