// Tokens of attackers against every kind of key: each is refused by its own rule, with a signature that is genuine
// wherever there can be one. Each goes to every kind of method, and to one of them in turn over a real socket; nobody
// is asked for anything but the one JWK Set, at the start.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadObject } from '../../src/config/load.ts';
import type { JwtAuth } from '../../src/config/types.ts';
import { JwtMethod } from '../../src/edge/auth/jwt.ts';
import type { AuthMeans, AuthVerdict } from '../../src/edge/auth/method.ts';
import { AuthMethods } from '../../src/edge/auth/methods.ts';
import { atOnce } from '../../src/limits/slices.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import { authMeans } from '../support/auth.ts';
import { type RunningProxy, startProxy } from '../support/harness.ts';
import { JwksServer } from '../support/jwks-server.ts';
import { RawClient } from '../support/raw-client.ts';
import { hs256, inSeconds, makeSigningKey, part, SECRET_TEXT, type SigningKey, tokenOf } from '../support/tokens.ts';
import { upgradeRequest } from '../support/wire.ts';
import { processCount } from '../support/worker-fleet.ts';

const RSA = makeSigningKey('RS256');
const EC = makeSigningKey('ES256');
const ED = makeSigningKey('EdDSA');
const P384 = makeSigningKey('ES384');
const SMALL = makeSigningKey('RS256', 1024);
const FOREIGN: Readonly<Record<string, SigningKey>> = {
  RS256: makeSigningKey('RS256'),
  ES256: makeSigningKey('ES256'),
  EdDSA: makeSigningKey('EdDSA'),
};

type Sign = (input: string) => Buffer;

/** One route, and who may open it. */
interface Kind {
  readonly name: string;
  readonly alg: string;
  readonly sign: Sign;
  /** Null where it is no secret that the other side has. */
  readonly key: SigningKey | null;
  readonly isSet: boolean;
}

const KINDS: readonly Kind[] = [
  { name: 'secret', alg: 'HS256', sign: (input) => hs256(input), key: null, isSet: false },
  ...[RSA, EC, ED].map((key) => ({ name: key.alg, alg: key.alg, sign: key.sign, key, isSet: false })),
  { name: 'file', alg: 'ES256', sign: EC.sign, key: EC, isSet: true },
  { name: 'url', alg: 'RS256', sign: RSA.sign, key: RSA, isSet: true },
];

/** Without alg: what a key is for its type says alone. */
const SET = [RSA.jwk({ kid: 'good' }), EC.jwk({ kid: 'good' }), P384.jwk({ kid: 'p384' }), SMALL.jwk({ kid: 'small' })];
const WITH_SECRET = [...SET, { kty: 'oct', kid: 'oct', k: Buffer.from(SECRET_TEXT).toString('base64url') }];

const headerOf = ({ alg }: Kind, own: object = {}) => ({ alg, typ: 'at+jwt', kid: 'good', ...own });
const claims = (own: object = {}) => ({ sub: 'u1', iss: 'https://as', aud: 'chat', exp: inSeconds(600), ...own });

/** Genuine, but for what is asked for; texts are taken as they are. */
function token(
  kind: Kind,
  header: object | string = {},
  payload: object | string = {},
  sign: Sign = kind.sign,
): string {
  return tokenOf({
    header: typeof header === 'string' ? header : headerOf(kind, header),
    payload: typeof payload === 'string' ? payload : claims(payload),
    sign,
  });
}

let running: RunningProxy;
/** The same ones without a proxy. */
let methods: AuthMethods;
let server: JwksServer;
/** Nobody has a reason to ask it. */
let trap: JwksServer;
let folder: string;

beforeAll(async () => {
  server = await JwksServer.listen();
  server.serve(...WITH_SECRET);
  trap = await JwksServer.listen();
  folder = mkdtempSync(path.join(tmpdir(), 'framegate-jwks-'));
  writeFileSync(path.join(folder, 'set.json'), JSON.stringify({ keys: SET }));
  const rules = { issuer: 'https://as', audience: 'chat', typ: 'at+jwt' };
  const set = { ...rules, algorithms: ['RS256', 'ES256'] as ('RS256' | 'ES256')[] };
  const auth: NonNullable<ConfigInput['auth']> = {
    secret: { jwt: { ...rules, secret: SECRET_TEXT, algorithms: ['HS256'] } },
    RS256: { jwt: { ...rules, key: RSA.pem, algorithms: ['RS256'] } },
    ES256: { jwt: { ...rules, key: EC.pem, algorithms: ['ES256'] } },
    EdDSA: { jwt: { ...rules, key: ED.pem, algorithms: ['EdDSA'] } },
    file: { jwt: { ...set, jwks: { file: 'set.json' } } },
    url: { jwt: { ...set, jwks: { url: server.url, cooldown: '60m' } } },
  };
  const routes = Object.keys(auth).map((name) => ({
    name,
    match: { path: `/${name}` },
    upstream: 'builtin:echo' as const,
    auth: [name],
  }));
  const limits = { max_head_size: '64KiB' } as const;
  running = await startProxy((base) => ({ ...base, routes, auth, limits }), { baseDir: folder });
  methods = new AuthMethods(authMeans());
  atOnce(methods.plan(loadObject({ routes, auth }, { baseDir: folder }).config)).commit();
  methods.start();
});
afterAll(async () => {
  await running.stop();
  methods.stop();
  server.close();
  trap.close();
  rmSync(folder, { recursive: true });
  expect(server.asked, 'at each start, and never again').toHaveLength(1 + processCount);
  expect(trap.asked, 'what tokens name').toEqual([]);
});

async function statusOf(kind: Kind, brought: string): Promise<number> {
  const client = await RawClient.connect(running.port);
  client.send(upgradeRequest({ path: `/${kind.name}`, headers: { Authorization: `Bearer ${brought}` } }));
  const { status } = await client.readHead();
  client.destroy();
  return status;
}

/** Null where it fits none. */
type Attack = readonly [what: string, make: (kind: Kind) => string | null];

function methodOf({ name }: Kind): { readonly config: JwtAuth; readonly means: AuthMeans; readonly method: JwtMethod } {
  const method = methods.get(name);
  if (!(method instanceof JwtMethod)) throw new Error('it is one');
  return { config: method.config, means: methods.means, method };
}

async function judged(kind: Kind, brought: string): Promise<AuthVerdict> {
  return methodOf(kind).method.judge(brought);
}

/** Every attack on every kind that it fits. */
async function allAre(status: 101 | 401, attacks: readonly Attack[], kinds: readonly Kind[] = KINDS): Promise<void> {
  const wrong: string[] = [];
  for (const [index, [what, make]] of attacks.entries()) {
    const brought = kinds.flatMap((kind) => ({
      kind,
      text: make(kind) ?? token(kind, {}, {}, () => Buffer.alloc(64)),
    }));
    for (const { kind, text } of brought) {
      const verdict = await judged(kind, text);
      if (verdict.kind !== (status === 101 ? 'good' : 'bad')) wrong.push(`${what}, ${kind.name}: ${verdict.kind}`);
    }
    const turn = brought[index % brought.length];
    const got = turn === undefined ? null : await statusOf(turn.kind, turn.text);
    if (got !== status) wrong.push(`${what}, ${turn?.kind.name}, over a socket: ${got}`);
  }
  expect(wrong).toEqual([]);
}

const onlySets = KINDS.filter(({ isSet }) => isSet);

test('a genuine token opens each of them', () => allAre(101, [['genuine', (kind) => token(kind)]]));

describe('algorithms', () => {
  const unsigned = (kind: Kind, alg: unknown) => token(kind, { alg }, {}, () => Buffer.alloc(0));
  const named = ['none', 'None', 'nOnE', '', 0, null, ['RS256'], { alg: 'RS256' }];

  test('A1: no algorithm, or one that is none, with and without a signature', () =>
    allAre(401, [
      ...named.map((alg): Attack => [`${JSON.stringify(alg)} unsigned`, (kind) => unsigned(kind, alg)]),
      ...named.map((alg): Attack => [`${JSON.stringify(alg)} signed`, (kind) => token(kind, { alg })]),
      ['missing', (kind) => token(kind, { alg: undefined })],
    ]));

  test('A2: a public key in the place of a secret, also where the config takes both', async () => {
    const forms: readonly ((key: SigningKey) => Buffer)[] = [
      ({ pem }) => Buffer.from(pem),
      ({ pem }) => Buffer.from(pem.trimEnd()),
      ({ publicKey }) => publicKey.export({ type: 'spki', format: 'der' }),
      (key) => Buffer.from(String(key.jwk().n ?? key.jwk().x), 'base64url'),
      (key) => Buffer.from(JSON.stringify(key.jwk())),
    ];
    const attacks = forms.map(
      (form, index): Attack => [
        `form ${index}`,
        (kind) => {
          const { key } = kind;
          return key === null ? null : token(kind, { alg: 'HS256' }, {}, (input) => hs256(input, form(key)));
        },
      ],
    );
    await allAre(401, attacks);
    for (const kind of KINDS) {
      const { config, means } = methodOf(kind);
      const careless = new JwtMethod({ ...config, algorithms: ['HS256', ...config.algorithms] }, means);
      careless.start();
      for (const [, make] of attacks) expect((await careless.judge(make(kind) ?? 'x')).kind).toBe('bad');
      expect((await careless.judge(token(kind))).kind).toBe('good');
      careless.stop();
    }
  });

  const others = [
    'RS384',
    'RS512',
    'PS256',
    'ES384',
    'ES512',
    'HS384',
    'HS512',
    'Ed25519',
    'ML-DSA-44',
    'dir',
    'A128KW',
  ];
  const typeOf = (alg: string) => alg.slice(0, 2).replace('PS', 'RS');
  const isOfType = (kind: Kind, alg: string) => typeOf(kind.alg) === typeOf(alg);
  const signs = (kind: Kind, alg: string): Sign =>
    kind.key?.as(alg) ?? ((input) => hs256(input, SECRET_TEXT, alg.slice(2)));

  test('A3: an algorithm that its key could be used with, and that the config does not name', () =>
    allAre(401, [
      [
        'a secret of the set',
        (kind) => (kind.isSet ? token(kind, { alg: 'HS256', kid: 'oct' }, {}, (input) => hs256(input)) : null),
      ],
      [
        'without its name',
        (kind) => (kind.isSet ? token(kind, { alg: 'HS256', kid: undefined }, {}, (input) => hs256(input)) : null),
      ],
      ...others.map((alg): Attack => [alg, (kind) => token(kind, { alg })]),
      // Genuine, all of them.
      ...['RS384', 'RS512', 'PS256', 'PS512', 'Ed25519', 'HS384', 'HS512'].map(
        (alg): Attack => [
          `a good ${alg}`,
          (kind) => (isOfType(kind, alg) ? token(kind, { alg }, {}, signs(kind, alg)) : null),
        ],
      ),
    ]));
});

describe('keys', () => {
  const foreign = (kind: Kind): Sign => FOREIGN[kind.alg]?.sign ?? ((input) => hs256(input, 'x'.repeat(32)));
  const kids = ['../../x', 'https://evil.test/key', "' or 1", '__proto__', 'constructor', '', 'x'.repeat(5000)];

  test('A4: names of keys that are none, and keys that a token brings or names', async () => {
    const own = (kind: Kind) => FOREIGN[kind.alg]?.jwk() ?? { kty: 'oct', k: 'AAAA' };
    await allAre(401, [
      ...kids.map((kid): Attack => [kid.slice(0, 30), (kind) => token(kind, { kid }, {}, foreign(kind))]),
      ['a number', (kind) => token(kind, { kid: 1 })],
      ['an object', (kind) => token(kind, { kid: { good: 1 } })],
      ['jwk', (kind) => token(kind, { jwk: own(kind), kid: undefined }, {}, foreign(kind))],
      ['jwk of the same name', (kind) => token(kind, { jwk: own(kind) }, {}, foreign(kind))],
      ['jku', (kind) => token(kind, { jku: trap.url }, {}, foreign(kind))],
      ['x5u', (kind) => token(kind, { x5u: trap.url }, {}, foreign(kind))],
      ['x5c', (kind) => token(kind, { x5c: ['AAAA'] }, {}, foreign(kind))],
    ]);
    await allAre(
      401,
      kids.map((kid): Attack => [kid.slice(0, 30), (kind) => token(kind, { kid })]),
      onlySets,
    );
    // Of a token that is genuine they are nothing at all.
    await allAre(101, [['jku, x5u, jwk', (kind) => token(kind, { jku: trap.url, x5u: trap.url, jwk: own(kind) })]]);
  });

  test('A5: a thousand unknown keys, and the server is not asked within its cooldown', async () => {
    const asked = server.asked.length;
    const url = onlySets.filter(({ name }) => name === 'url');
    const attacks = Array.from(
      { length: 1000 },
      (_, index): Attack => [`${index}`, (one) => token(one, { kid: `k${index}` }, {}, () => Buffer.alloc(256, 1))],
    );
    for (const kind of url) {
      const verdicts = await Promise.all(attacks.map(([, make]) => judged(kind, make(kind) ?? '')));
      expect(new Set(verdicts.map((verdict) => verdict.kind))).toEqual(new Set(['bad']));
    }
    await allAre(401, attacks.slice(0, 5), url);
    expect(server.asked).toHaveLength(asked);
  });

  test('A12: signatures of zeros, in DER, of another curve, of 1024 bits, cut and longer', () =>
    allAre(401, [
      ['zeros', (kind) => token(kind, {}, {}, (input) => Buffer.alloc(kind.sign(input).length))],
      ['another length', (kind) => token(kind, {}, {}, (input) => kind.sign(input).subarray(1))],
      ['a byte more', (kind) => token(kind, {}, {}, (input) => Buffer.concat([kind.sign(input), Buffer.alloc(1)]))],
      ['of another text', (kind) => token(kind, {}, {}, () => kind.sign('x'))],
      ['of another key', (kind) => token(kind, {}, {}, foreign(kind))],
      ['DER', (kind) => (kind.alg === 'ES256' ? token(kind, {}, {}, (input) => derOf(kind.sign(input))) : null)],
      ['P-384', (kind) => token(kind, { alg: 'ES256', kid: 'p384' }, {}, P384.sign)],
      ['P-384 and its name', (kind) => token(kind, { alg: 'ES384', kid: 'p384' }, {}, P384.sign)],
      ['1024 bits', (kind) => token(kind, { alg: 'RS256', kid: 'small' }, {}, SMALL.sign)],
    ]));
});

/** X.690 8.3: SEQUENCE of two INTEGERs, of the two halves. */
function derOf(signature: Buffer): Buffer {
  const integers = [signature.subarray(0, 32), signature.subarray(32)].map((half) => {
    const bytes = Buffer.concat([Buffer.alloc(1), half]);
    return Buffer.concat([Buffer.from([2, bytes.length]), bytes]);
  });
  const body = Buffer.concat(integers);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
}

describe('claims', () => {
  /** As JSON, which has more numbers than JavaScript. */
  const raw = (name: string, value: string) => (kind: Kind) =>
    token(kind, {}, JSON.stringify(claims({ [name]: '@' })).replace('"@"', value));
  const wrong = ['"9999999999"', '1e309', '-1', '-1e309', '1e300', 'null', 'true', '[]', '{}', '253402300800'];

  test('A7: times that are no times, are over, or are not there', async () => {
    await allAre(401, [
      ...['exp', 'nbf', 'iat'].flatMap((name) => wrong.map((value): Attack => [`${name} ${value}`, raw(name, value)])),
      ['no exp', (kind) => token(kind, {}, { exp: undefined })],
      ['exp and its leeway over', (kind) => token(kind, {}, { exp: inSeconds(-31) })],
      ['not before later', (kind) => token(kind, {}, { nbf: inSeconds(40) })],
      ['issued later', (kind) => token(kind, {}, { iat: inSeconds(40) })],
    ]);
    await allAre(101, [
      ['exp within leeway', (kind) => token(kind, {}, { exp: inSeconds(-20) })],
      ['a fraction', (kind) => token(kind, {}, { exp: inSeconds(60) + 0.5, iat: inSeconds(0) - 0.25 })],
      ['nbf within leeway', (kind) => token(kind, {}, { nbf: inSeconds(20), iat: inSeconds(20) })],
      ['the last second', raw('exp', '253402300799')],
    ]);
  });

  test('A11: who issued it, for whom, and of which type', async () => {
    await allAre(401, [
      ...[undefined, 'https://as/', 'HTTPS://as', ['https://as'], null].map(
        (iss): Attack => [`iss ${JSON.stringify(iss)}`, (kind) => token(kind, {}, { iss })],
      ),
      ...[undefined, 'chat ', 'Chat', [], ['other'], [['chat']], { chat: 1 }, null].map(
        (aud): Attack => [`aud ${JSON.stringify(aud)}`, (kind) => token(kind, {}, { aud })],
      ),
      ...[undefined, 'JWT', 'at+jwt ', 'text/at+jwt', 'application/x/at+jwt', 1, ['at+jwt']].map(
        (typ): Attack => [`typ ${JSON.stringify(typ)}`, (kind) => token(kind, { typ })],
      ),
      ...[undefined, '', 7, ['u1'], 'x'.repeat(257)].map(
        (sub): Attack => [`sub ${JSON.stringify(sub)?.slice(0, 20)}`, (kind) => token(kind, {}, { sub })],
      ),
    ]);
    await allAre(101, [
      ['a list', (kind) => token(kind, {}, { aud: ['other', 'chat'] })],
      ['a media type', (kind) => token(kind, { typ: 'application/AT+JWT' })],
      ['256 bytes', (kind) => token(kind, {}, { sub: 'x'.repeat(256) })],
    ]);
  });
});

describe('forms', () => {
  /** One with "-" and "_" in it, and whose parts do not end with whole groups. */
  function odd(kind: Kind): string {
    for (let pad = ''; ; pad += '?~') {
      const made = token(kind, {}, { pad });
      const [, payload = ''] = made.split('.');
      if (/[-_]/.test(payload) && payload.length % 4 > 1) return made;
    }
  }
  const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  /** The same bytes to a decoder that looks at no bits but theirs. */
  const nextTo = (text: string) => text.slice(0, -1) + ALPHABET.charAt(ALPHABET.indexOf(text.slice(-1)) + 1);
  const inPart = (index: number, change: (text: string) => string) => (kind: Kind) =>
    odd(kind)
      .split('.')
      .map((text, at) => (at === index ? change(text) : text))
      .join('.');

  test('A8: parts too few and too many, 9 KiB, and headers that ask for more', () =>
    allAre(401, [
      ['two parts', (kind) => token(kind).split('.').slice(0, 2).join('.')],
      ['four parts', (kind) => `${token(kind)}.x`],
      ['five parts', (kind) => `${token(kind)}.AAAA.AAAA`],
      ['no payload', (kind) => token(kind, {}, '')],
      ['an empty header', (kind) => `.${token(kind).split('.').slice(1).join('.')}`],
      ['9 KiB', (kind) => token(kind, {}, { pad: 'x'.repeat(6500) })],
      ['9 KiB of header', (kind) => token(kind, { pad: 'x'.repeat(6500) })],
      ...[
        { crit: ['exp'] },
        { crit: [] },
        { crit: ['b64'], b64: true },
        { b64: false },
        { zip: 'DEF' },
        { enc: 'A128GCM' },
      ].map((own): Attack => [JSON.stringify(own), (kind) => token(kind, own)]),
    ]));

  test('A9: a token has one spelling', () =>
    allAre(401, [
      ...[0, 1, 2].flatMap((index): readonly Attack[] => [
        [`padded ${index}`, inPart(index, (text) => `${text}=`)],
        [`padded twice ${index}`, inPart(index, (text) => `${text}==`)],
        [`a blank ${index}`, inPart(index, (text) => `${text.slice(0, 4)} ${text.slice(4)}`)],
      ]),
      ['a blank at the end of a part', inPart(1, (text) => `${text}\t`)],
      ['the other alphabet', inPart(1, (text) => text.replaceAll('-', '+').replaceAll('_', '/'))],
      ['bits behind the payload', inPart(1, nextTo)],
      ['bits behind the signature', inPart(2, nextTo)],
      ['a character more', inPart(2, (text) => text + 'A'.repeat((5 - (text.length % 4)) % 4))],
    ]));

  test('A10: names twice, depth, names of prototypes, and what is no JSON', async () => {
    const rest = (text: string) => JSON.stringify(claims()).replace('{', `{${text},`);
    const deep = (open: string, close: string, depth: number) =>
      rest(`"x":${open.repeat(depth)}1${close.repeat(depth)}`);
    const twice = (kind: Kind, name: string) => JSON.stringify(headerOf(kind)).replace('{', `{${name},`);
    await allAre(401, [
      ['alg twice', (kind) => token(kind, twice(kind, '"alg":"none"'))],
      ['alg twice, once escaped', (kind) => token(kind, twice(kind, '"\\u0061lg":"none"'))],
      ['sub twice', (kind) => token(kind, {}, rest('"sub":"admin"'))],
      ['deep inside twice', (kind) => token(kind, {}, rest('"x":[{"y":1,"y":2}]'))],
      ['lists of 10000', (kind) => token(kind, {}, deep('[', ']', 10_000))],
      ['lists of 2500', (kind) => token(kind, {}, deep('[', ']', 2_500))],
      ['open lists of 5000', (kind) => token(kind, {}, '['.repeat(5000))],
      ['objects of 900', (kind) => token(kind, {}, deep('{"":', '}', 900))],
      ['a deep header', (kind) => token(kind, twice(kind, `"x":${'['.repeat(2_500)}${']'.repeat(2_500)}`))],
      ...['[]', 'null', '"x"', '1', 'x', '{"sub":"u1",}', '\ufeff{}', '{} {}'].flatMap((text): readonly Attack[] => [
        [`payload ${text}`, (kind) => token(kind, {}, text)],
        [`header ${text}`, (kind) => token(kind, text)],
      ]),
      ['bytes that are no UTF-8', (kind) => badUtf8(kind)],
    ]);
    await allAre(101, [
      [
        '__proto__',
        (kind) => token(kind, {}, rest('"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}')),
      ],
      ['__proto__ in its header', (kind) => token(kind, twice(kind, '"__proto__":{"polluted":true}'))],
    ]);
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
    expect(Reflect.get([], 'polluted')).toBeUndefined();
  });

  function badUtf8(kind: Kind): string {
    const payload = Buffer.from(JSON.stringify(claims({ x: '@' })).replace('@', '\xff'), 'latin1').toString(
      'base64url',
    );
    const input = `${part(headerOf(kind))}.${payload}`;
    return `${input}.${kind.sign(input).toString('base64url')}`;
  }
});

test('no token takes a millisecond of the main thread', async () => {
  const many = (length: number, one: (index: number) => string) => Array.from({ length }, (_, i) => one(i)).join();
  const names = (length: number) => `{${many(length, (index) => `"${index.toString(36)}":0`)}}`;
  const worst: readonly Attack[] = [
    ['a name for each byte', (kind) => token(kind, {}, names(650))],
    ['a header of names', (kind) => token(kind, names(650))],
    ['escapes', (kind) => token(kind, {}, `{"sub":"${'\\u0041'.repeat(850)}"}`)],
    ['lists side by side', (kind) => token(kind, {}, `[${many(1800, () => '[]')}]`)],
    ['an open text', (kind) => token(kind, {}, `{"${'\\"'.repeat(2500)}`)],
    ['a long kid', (kind) => token(kind, { kid: 'x'.repeat(5000) })],
    ['8 MB', () => 'a.'.repeat(4_000_000)],
    ['genuine', (kind) => token(kind)],
  ];
  const figures: string[] = [];
  for (const [what, make] of worst) {
    for (const kind of KINDS) {
      const brought = make(kind) ?? '';
      // The best of some: others use these cores, too.
      let best = Number.POSITIVE_INFINITY;
      for (let batch = 0; batch < 50 && best > 1; batch += 1) {
        const before = performance.eventLoopUtilization();
        for (let round = 0; round < 4; round += 1) await judged(kind, brought);
        best = Math.min(best, performance.eventLoopUtilization(before).active / 4);
      }
      if (best > 1) figures.push(`${what}, ${kind.name}: ${best} ms`);
    }
  }
  expect(figures).toEqual([]);
});
