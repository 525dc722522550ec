// What `check` says of methods of auth and of the routes that name them. Keys against algorithms: auth-keys.test.ts.

import { describe, expect, test } from 'vitest';
import { errorsOf, loaded, warningsOf } from './loading.ts';

const HASH = '2b'.repeat(32);
const PASSWORD = `"$scrypt$ln=15,r=8,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}"`;
const KEY = `keys: [{ name: a, sha256: ${HASH} }]`;
const JWT = 'jwt: { jwks: { url: "https://as/jwks" }, algorithms: [RS256]';
const OPAQUE = 'introspection: { url: "https://as/i", client_id: a, client_secret: b';

const SIGNED = `hmac: { keys: [{ name: a, secret: ${'b'.repeat(32)} }]`;

/** Methods by name, in the order of the route. */
function config(methods: Readonly<Record<string, string>>, more = ''): string {
  const names = Object.keys(methods);
  const blocks = names.map((name) => `  ${name}: { ${methods[name]} }\n`).join('');
  return `auth:\n${blocks}routes:\n  - { upstream: "builtin:echo", auth: [${names.join()}], origins: [same] }\n${more}`;
}

const placeless = (line: string): string => line.replace(/^\d+:\d+ /, '');
const errors = (methods: Readonly<Record<string, string>>) => errorsOf(config(methods)).map(placeless);

describe('names of methods', () => {
  const of = (auth: string) =>
    errorsOf(`auth: { users: { ${JWT} } } }\nroutes: [{ upstream: "builtin:echo", auth: ${auth} }]`);

  test.each([
    ['[users]', []],
    ['[]', []],
    ['[users, anonymous]', []],
    ['[user]', ['2:45 routes[0].auth[0]: there is no method "user" (did you mean "users"?)']],
    ['[none]', ['2:45 routes[0].auth[0]: there is no method "none": an open route has []']],
    ['[toString]', ['2:45 routes[0].auth[0]: there is no method "toString"']],
    ['[users, users]', ['2:52 routes[0].auth[1]: stands in this list twice']],
    [
      '[anonymous]',
      ['2:45 routes[0].auth[0]: anonymous stands behind all methods, and not alone: an open route has []'],
    ],
    [
      '[anonymous, users]',
      ['2:45 routes[0].auth[0]: anonymous stands behind all methods, and not alone: an open route has []'],
    ],
  ])('auth: %s', (auth, expected) => {
    expect(of(auth)).toEqual(expected);
  });

  test('anonymous is no name of a method', () => {
    expect(errorsOf(`auth: { anonymous: { ${JWT} } } }`)).toEqual([
      '1:20 auth.anonymous: anonymous is no method: another name',
    ]);
  });

  test('a method that no route names is told, and a faulty one is there for those that name it', () => {
    expect(warningsOf(`auth: { users: { ${JWT} } } }`)).toEqual(['1:16 auth.users: no route uses this method']);
    expect(warningsOf(`auth: { users: { ${JWT} } } }\ndefaults: { auth: [users] }`)).toEqual([]);
    expect(errors({ users: 'jwt: {}' })).toEqual([
      'auth.users.jwt.algorithms: is required',
      'auth.users.jwt.secret: one of secret, key, jwks is required',
    ]);
  });

  test('a method is of exactly one kind', () => {
    const kinds = 'api_key, basic, jwt, introspection, hmac, certificate, forward';
    const one = `auth.users: expected exactly one kind of method: ${kinds}`;
    expect(errors({ users: `${JWT} }, api_key: { ${KEY} }` })).toEqual([one]);
    expect(errors({ users: '' })).toEqual([one]);
    expect(errors({ users: 'oauth2: {}' })).toEqual([`auth.users.oauth2: unknown key: there are ${kinds}`]);
    const guess = 'auth.users.apikey: unknown key (did you mean "api_key"?)';
    expect(errors({ users: `apikey: { ${KEY} }` })).toEqual([guess]);
  });

  test('a key beside the kind belongs into it', () => {
    const inAll = '"api_key" or "basic" or "jwt" or "introspection" or "hmac" or "certificate" or "forward"';
    expect(errors({ users: `${JWT} }, bind: off` })).toEqual([`auth.users.bind: unknown key (it goes into ${inAll})`]);
    expect(errors({ users: `${JWT} }, issuer: x` })).toEqual(['auth.users.issuer: unknown key (it goes into "jwt")']);
  });

  test('who leaves the name of a method out is told', () => {
    expect(errorsOf(`auth: { api_key: { ${KEY} } }`)).toEqual([
      '1:20 auth.api_key.keys: unknown key: a name stands above "api_key", as in { NAME: { api_key: ... } }',
    ]);
  });

  test('one name in place of a list is told how a list looks', () => {
    expect(of('users')).toEqual(['2:44 routes[0].auth: expected a list, found text: put it in [ ]']);
    expect(errorsOf('routes: text')).toEqual(['1:9 routes: expected a list, found text']);
  });
});

describe('order', () => {
  const ask = 'forward: { url: "http://127.0.0.1:9000/" }';

  test('forward is the last, but for anonymous, which then has no effect', () => {
    expect(errors({ key: `api_key: { ${KEY} }`, ask })).toEqual([]);
    expect(errors({ ask, key: `api_key: { ${KEY} }` })).toEqual([
      'routes[0].auth[0]: is asked about every request, so it stands last: behind "key"',
    ]);
    const route = '{ upstream: "builtin:echo", origins: [], auth: [ask, anonymous] }';
    const open = `auth: { ask: { ${ask} } }\nroutes: [${route}]`;
    expect(errorsOf(open)).toEqual([]);
    expect(warningsOf(open)).toEqual([
      '2:63 routes[0].auth[1]: has no effect: forward is asked about those who brought nothing, too',
    ]);
  });
});

describe('two methods that read one place', () => {
  const bearer = 'from: [header:Authorization]';
  const never = (place: string, other: string) =>
    `routes[0].auth[1]: reads ${place} as "${other}" does, and their kinds cannot be told apart`;
  const authorization = 'header:authorization';

  test.each<[string, string, string]>([
    ['two jwt', `${JWT} }`, `${JWT} }`],
    ['two introspections', `${OPAQUE} }`, `${OPAQUE} }`],
    ['two basic', `basic: { users: [{ name: a, password: ${PASSWORD} }] }`, `basic: { users: [] }`],
    ['two hmac', `${SIGNED} }`, `${SIGNED} }`],
    ['a key without a prefix, and jwt', `api_key: { ${bearer}, ${KEY} }`, `${JWT} }`],
    ['jwt, and a key without a prefix', `${JWT} }`, `api_key: { ${bearer}, ${KEY} }`],
    ['a key without a prefix, and introspection', `api_key: { ${bearer}, ${KEY} }`, `${OPAQUE} }`],
    ['a key with a prefix that each JWT has', `api_key: { ${bearer}, prefix: ey, ${KEY} }`, `${JWT} }`],
    ['keys without prefixes', `api_key: { ${bearer}, ${KEY} }`, `api_key: { ${bearer}, prefix: a_, ${KEY} }`],
    [
      'prefixes in each other',
      `api_key: { ${bearer}, prefix: a_b_, ${KEY} }`,
      `api_key: { ${bearer}, prefix: a_, ${KEY} }`,
    ],
  ])('is an error: %s', (_, a, b) => {
    expect(errors({ a, b })).toEqual([never(authorization, 'a')]);
  });

  test.each<[string, string, string]>([
    ['introspection and jwt', `${OPAQUE} }`, `${JWT} }`],
    ['introspection and a key with a prefix', `${OPAQUE} }`, `api_key: { ${bearer}, prefix: a_, ${KEY} }`],
    ['basic and jwt', `basic: { users: [] }`, `${JWT} }`],
    ['hmac and introspection', `${SIGNED} }`, `${OPAQUE} }`],
    ['basic and a key without a prefix', `basic: { users: [] }`, `api_key: { ${bearer}, ${KEY} }`],
    ['a key with a prefix and jwt', `api_key: { ${bearer}, prefix: fgk_, ${KEY} }`, `${JWT} }`],
    ['two prefixes', `api_key: { ${bearer}, prefix: a_, ${KEY} }`, `api_key: { ${bearer}, prefix: b_, ${KEY} }`],
    ['two places', `${JWT} }`, `${JWT}, from: [header:X-Token] }`],
    ['two parts of the query', `${JWT}, from: ["query:a"] }`, `${JWT}, from: ["query:A"] }`],
    ['two markers', `${JWT}, from: ["subprotocol:a"] }`, `${JWT}, from: ["subprotocol:ab"] }`],
  ])('is none: %s', (_, a, b) => {
    expect(errors({ a, b })).toEqual([]);
    expect(errors({ b, a })).toEqual([]);
  });

  test.each<[string, string, string]>([
    ['entries that begin in two ways at once', 'subprotocol_prefix:auth.', 'subprotocol_prefix:auth.jwt.'],
    ['a marker that is taken for a credential', 'subprotocol_prefix:b', 'subprotocol:bearer'],
  ])('reads one place, too: %s', (_, a, b) => {
    expect(errors({ a: `${JWT}, from: ["${a}"] }`, b: `${JWT}, from: ["${b}"] }` })).toEqual([never(b, 'a')]);
    expect(errors({ a: `${JWT}, from: ["${a}", "${b}"] }` })).toEqual([
      `auth.a.jwt.from[1]: what stands there stands at ${a}, too`,
    ]);
  });

  test('encoded for one and not for the other', () => {
    const key = (more: string) => `api_key: { from: ["subprotocol_prefix:k."], prefix: fgk_, ${KEY}${more} }`;
    const a = `${JWT}, from: ["subprotocol_prefix:k."], decode: base64url }`;
    const told = 'reads subprotocol_prefix:k. as "a" does, and their decode is not the same';
    expect(errors({ a, b: key('') })).toEqual([`routes[0].auth[1]: ${told}`]);
    expect(errors({ a, b: key(', decode: base64url') })).toEqual([]);
  });

  test('one place twice in one method', () => {
    expect(errors({ a: `${JWT}, from: [header:X-A, header:x-a] }` })).toEqual([
      'auth.a.jwt.from[1]: what stands there stands at header:x-a, too',
    ]);
  });

  test('what defaults names is judged once', () => {
    const text = `auth: { a: { ${JWT} } }, b: { ${JWT} } } }\ndefaults: { auth: [a, b] }\nroutes:\n`;
    const route = '  - { match: { path: /N }, upstream: "builtin:echo" }\n';
    expect(errorsOf(text + route.replace('N', 'a') + route.replace('N', 'b'))).toHaveLength(1);
  });
});

describe('origins', () => {
  const staff = `auth: { staff: { basic: { users: [{ name: a, password: ${PASSWORD} }] } } }\n`;
  const cookie = `auth: { web: { ${JWT}, from: ["cookie:sid"] } } }\n`;
  const ask = (send: string) => `auth: { ask: { forward: { url: "https://as/", send: ${send} } } }\n`;
  const route = (name: string, more = '') => `routes: [{ upstream: "builtin:echo", auth: [${name}]${more} }]`;
  const required = (what: string, place = 'routes[0].origins') =>
    `${place}: is required: browsers send ${what} whatever page asks. Name your pages`;

  test.each([
    [staff + route('staff'), [required('a password for "staff"')]],
    [cookie + route('web'), [required('a cookie for "web"')]],
    [ask('[cookie]') + route('ask'), [required('a cookie for "ask"')]],
    [ask('[authorization, origin]') + route('ask'), []],
    [`auth: { dev: { certificate: {} } }\n${route('dev')}`, [required('a certificate for "dev"')]],
    [`auth: { app: { ${JWT} } } }\n${route('app')}`, []],
    [
      `${staff}defaults: { auth: [staff] }\nroutes: [{ upstream: "builtin:echo" }]`,
      [required('a password for "staff"', 'defaults.origins')],
    ],
    [staff + route('staff', ', origins: []'), []],
    [`${staff}routes: [{ http: "http://127.0.0.1:1", auth: [staff] }]`, []],
    [`${staff}defaults: { origins: [same] }\n${route('staff')}`, []],
  ])('have to be said where browsers send the credential by themselves: %#', (text, expected) => {
    expect(errorsOf(text).map(placeless)).toEqual(expected);
  });

  test('any written out is a warning', () => {
    const told = 'origins: every page in the web can use a password for "staff" of whoever visits it';
    expect(warningsOf(staff + route('staff', ', origins: any')).map(placeless)).toEqual([`routes[0].${told}`]);
    expect(warningsOf(`${staff}defaults: { origins: any }\n${route('staff')}`).map(placeless)).toEqual([
      `defaults.${told}`,
    ]);
  });
});

describe('routes', () => {
  const auth = `auth: { users: { ${JWT} } } }\n`;
  const routes = (b: string) =>
    'routes:\n  - { match: { path: /a }, upstream: "builtin:echo", auth: [users] }\n' +
    `  - { match: { path: /b }, upstream: "builtin:echo"${b} }\n`;

  test('one that says nothing of auth beside one that does is told', () => {
    expect(warningsOf(auth + routes(''))).toEqual([
      '4:5 routes[1]: lets everybody in, and other routes have auth: write auth: [] if it should',
    ]);
    expect(warningsOf(auth + routes(', auth: []'))).toEqual([]);
    expect(warningsOf(`${auth}defaults: { auth: [] }\n${routes('')}`)).toEqual([]);
    expect(warningsOf(`${auth}defaults: { auth: [users] }\n${routes('')}`)).toEqual([]);
  });

  test('strip: off is told once for each route', () => {
    const open = `auth: { users: { ${JWT}, strip: off } } }\n`;
    expect(warningsOf(open + routes(', auth: [users]'))).toEqual([
      '3:60 routes[0].auth: the backend gets what "users" reads: strip is off',
      '4:60 routes[1].auth: the backend gets what "users" reads: strip is off',
    ]);
  });

  test('strip: off has no effect where another method reads the same places and keeps nothing', () => {
    const both = (places: string, strip: string) =>
      `auth:\n  users: { ${JWT}, from: [${places}], strip: off } }\n` +
      `  keys: { api_key: { prefix: k_, from: [header:Authorization], ${KEY}, strip: ${strip} } }\n` +
      'routes: [{ upstream: "builtin:echo", auth: [users, keys] }]';
    const told = (text: string) => warningsOf(text).map(placeless);
    const gets = (names: string) => `routes[0].auth: the backend gets what ${names} reads: strip is off`;
    expect(told(both('header:Authorization', 'on'))).toEqual([
      'routes[0].auth: strip: off of "users" has no effect: methods with strip: on read the same',
    ]);
    expect(told(both('header:Authorization', 'off'))).toEqual([gets('"users", "keys"')]);
    expect(told(both('header:Authorization, "query:token"', 'on'))).toEqual([gets('"users"')]);
  });

  test('two of one host with other auth, where a decoded path can be of either', () => {
    const two = (b: string) =>
      `${auth}routes:\n` +
      '  - { match: { path: "/open/{id}", encoded_slashes: keep }, upstream: "builtin:echo", auth: [] }\n' +
      '  - { match: { path: /open/a/b }, upstream: "builtin:echo", auth: [] }\n' +
      `  - { match: { path: "/open/{x}/{y}" }, upstream: "builtin:echo", auth: ${b} }\n`;
    const told = 'a backend that decodes paths can take one of this route for one of routes';
    const place = 'routes[0].match.path';
    expect(warningsOf(two('[users]')).map(placeless)).toEqual([`${place}: ${told}[2], whose auth is another`]);
    expect(warningsOf(two('[]')).map(placeless)).toEqual([
      'auth.users: no route uses this method',
      `${place}: ${told}[1]`,
    ]);
  });
});

describe('keys of one method', () => {
  const told = (method: string, kind: string) =>
    [...errorsOf(config({ a: method })), ...warningsOf(config({ a: method }))]
      .map(placeless)
      .map((line) => line.replace(`auth.a.${kind}.`, ''));

  test('exactly one of secret, key and jwks, and of file and url', () => {
    const two = 'jwt: { key: x, jwks: { file: set.json, url: "https://as/" }, algorithms: [RS256] }';
    expect(told(two, 'jwt').filter((line) => line.includes('already'))).toEqual([
      'jwks: key is there already: one of both is enough',
      'jwks.url: file is there already: one of both is enough',
    ]);
    expect(told('jwt: { jwks: {}, algorithms: [RS256] }', 'jwt')).toEqual(['jwks.file: one of file, url is required']);
  });

  test('of a second key only that it is one is told, also where the text of a file stands there', () => {
    const two = `auth: { a: { jwt: { secret: ${'s'.repeat(32)}, key: { file: k.pem }, algorithms: [HS256] } } }`;
    expect(errorsOf(two, { files: { 'k.pem': 'x' } }).map(placeless)).toContain(
      'auth.a.jwt.key: secret is there already: one of both is enough',
    );
  });

  test('a secret of hmac has 32 bytes or is told to be guessable', () => {
    const secret = (length: number) => `hmac: { keys: [{ name: a, secret: ${'b'.repeat(length)} }] }`;
    expect(told(secret(32), 'hmac')).toEqual([]);
    expect(told(secret(31), 'hmac')).toEqual(['keys[0].secret: is below 32 bytes: it could be guessed']);
  });

  test('a user name that no client can send is an error', () => {
    const user = (name: string) => `basic: { users: [{ name: "${name}", password: ${PASSWORD} }] }`;
    expect(told(user('a@b c'), 'basic')).toEqual([]);
    expect(told(user('a:b'), 'basic')).toEqual(['users[0].name: no client can send a user name with ":"']);
  });

  const elsewhere = ['Host', 'origin', 'Cookie', 'Upgrade', 'Sec-WebSocket-Key'];
  // Shown in the log, or made anew for backends.
  const shown = ['User-Agent', 'X-Request-ID', 'X-Forwarded-For', 'Forwarded', 'Via', 'X-Framegate-Session'];
  test.each([...elsewhere, ...shown])('%s holds no credential', (field) => {
    expect(told(`api_key: { from: ["header:${field}"], ${KEY} }`, 'api_key')).toEqual([
      `from[0]: "${field}" is no field for credentials`,
    ]);
  });

  const clear = 'goes to another machine in the clear: https://, or insecure: true';
  const answer = 'whoever is on the way can answer in its place';

  test.each([
    ['https://as', '', []],
    ['http://127.0.0.1:81/x', '', []],
    ['http://localhost/', '', []],
    ['http://[::1]/', '', []],
    ['http://as', '', [`url: ${clear}`]],
    ['http://127.0.0.1.example.com/', '', [`url: ${clear}`]],
    ['http://as', ', insecure: true', [`insecure: ${answer}`]],
    ['https://as', ', insecure: true', ['insecure: has no effect: url does not need it']],
    ['http://localhost', ', insecure: true', ['insecure: has no effect: url does not need it']],
    ['http://localhost', ', tls: { server_name: a }', ['tls: has no effect: url is http://']],
    ['https://as', ', tls: { verify: false }', [`tls.verify: ${answer}`]],
  ])('%s%s', (url, more, expected) => {
    const introspection = `introspection: { url: "${url}", client_id: a, client_secret: b${more} }`;
    expect(told(introspection, 'introspection')).toEqual(expected);
    const jwks = `jwt: { jwks: { url: "${url}"${more} }, algorithms: [RS256] }`;
    expect(told(jwks, 'jwt.jwks')).toEqual(expected);
  });

  test.each([
    ['http://auth:9000/check', '[authorization, cookie]', ['authorization and cookie of clients go']],
    ['http://auth:9000/check', '[Cookie]', ['cookie of clients go']],
    ['http://auth:9000/check', '[origin]', []],
    ['http://127.0.0.1:9000/check', '[authorization, cookie]', []],
    ['https://auth/check', '[authorization, cookie]', []],
  ])('forward to %s sends %s', (url, send, expected) => {
    expect(told(`forward: { url: "${url}", send: ${send} }`, 'forward')).toEqual(
      expected.map((what) => `url: ${what} to another machine in the clear`),
    );
  });

  test('what is for a set that is fetched has no effect beside a file', () => {
    const lines = told('jwt: { jwks: { file: set.json, refresh: 10m }, algorithms: [RS256] }', 'jwt.jwks');
    expect(lines).toContain('refresh: has no effect: it is for a set that is fetched');
  });

  test.each([
    [', headers: [host]', ['headers: needs date or x-aux-date: nothing else tells how old a signature is']],
    [', headers: [X-Aux-Date]', []],
    [', headers: [date, Date]', ['headers[1]: stands in this list twice']],
    [
      ', replay: refuse',
      [
        'replay: refuse needs x-nonce among headers: nothing else tells two requests apart',
        'replay: counts on this machine alone: elsewhere a signature can be used once more',
      ],
    ],
    [
      ', replay: refuse, headers: [date, x-nonce]',
      ['replay: counts on this machine alone: elsewhere a signature can be used once more'],
    ],
  ])('hmac%s', (more, expected) => {
    expect(told(`${SIGNED}${more} }`, 'hmac')).toEqual(expected);
  });

  test('decode needs a place that it is for, of every kind that reads places', () => {
    const message = 'decode: is for subprotocol_prefix, and from has none';
    expect(told(`api_key: { ${KEY}, decode: base64url }`, 'api_key')).toEqual([message]);
    expect(told(`${JWT}, decode: base64url }`, 'jwt')).toEqual([message]);
    expect(told(`${OPAQUE}, decode: base64url }`, 'introspection')).toEqual([message]);
    expect(told(`${JWT}, decode: base64url, from: ["subprotocol_prefix:a."] }`, 'jwt')).toEqual([]);
  });

  test('grace and recheck have no effect where nothing is bound', () => {
    expect(told(`${OPAQUE}, bind: off, grace: 1m, recheck: 1m }`, 'introspection')).toEqual([
      'grace: has no effect: bind is off',
      'recheck: has no effect: bind is off',
    ]);
  });

  test('lists that nothing can be of are refused', () => {
    expect(told(`${JWT}, audience: [], required: { scope: [] } }`, 'jwt')).toEqual([
      'audience: needs at least one audience',
      'required.scope: needs at least one value',
    ]);
    expect(told('certificate: { allow: [] }', 'certificate')[0]).toBe('allow: needs at least one name');
  });

  test('16 methods of a route and 16 places of a method are the most', () => {
    const places = (count: number) => `[${Array.from({ length: count }, (_, i) => `"query:a${i}"`).join()}]`;
    expect(told(`${JWT}, from: ${places(16)} }`, 'jwt')).toEqual([]);
    expect(told(`${JWT}, from: ${places(17)} }`, 'jwt')).toEqual([
      'from[16]: at most 16 places are looked at for one handshake',
    ]);
    const methods = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`m${i}`, `${JWT}, from: ["query:a${i}"] }`]));
    expect(errors(methods(16))).toEqual([]);
    expect(errors(methods(17))).toEqual(['routes[0].auth[16]: at most 16 methods are tried for one handshake']);
  });

  test('values of required may be numbers and booleans, which count by their text', () => {
    const text = config({ a: `${JWT}, required: { level: 3, "https://x/admin": true, roles: [a, 1.5] } }` });
    const { a } = loaded(text).auth;
    expect(a?.kind === 'jwt' && { ...a.required }).toEqual({
      level: ['3'],
      'https://x/admin': ['true'],
      roles: ['a', '1.5'],
    });
  });
});

describe('client certificates', () => {
  const files = (text: string) =>
    warningsOf(text)
      .filter((line) => /certificate/.test(line))
      .map(placeless);
  const text = (mine: string, auth: string, more = '') =>
    'auth: { devices: { certificate: {} }, key: { api_key: { keys: [] } } }\nlisteners:\n' +
    '  - name: mine\n    address: ":1"\n' +
    `    tls: { certificates: [{ cert: c, key: k }], client_auth: ${mine}, client_ca: ca }\n` +
    `  - { name: plain, address: ":2" }\n` +
    `routes: [{ upstream: "builtin:echo", auth: [${auth}], origins: []${more} }]`;

  test('a route that reads them, and no listener of it asks for one', () => {
    const told = (at: string) =>
      `${at}: no listener of this route asks for the certificates of "devices" (tls.client_auth)`;
    expect(files(text('none', 'devices'))).toContain(told('routes[0].auth'));
    expect(files(text('request', 'devices', ', match: { listeners: [plain] }'))).toContain(told('routes[0].auth'));
    expect(files(text('request', 'devices'))).not.toContain(told('routes[0].auth'));
    expect(files(text('require', 'devices'))).not.toContain(told('routes[0].auth'));
  });

  test('a route that a listener which requires one leads to, and one which does not', () => {
    const told = 'routes[0].match: "plain" leads here, too, without the certificate that "mine" requires';
    expect(files(text('require', 'key'))).toContain(told);
    expect(files(text('require', 'key', ', match: { listeners: [mine] }'))).not.toContain(told);
    expect(files(text('request', 'key'))).not.toContain(told);
    // It says itself what is good without one.
    expect(files(text('require', 'devices, key'))).not.toContain(told);
  });
});
