// Signed requests: what is looked at, to the edge, and how often one counts.

import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { loadObject } from '../../../src/config/load.ts';
import { HmacMethod } from '../../../src/edge/auth/hmac.ts';
import type { AuthAsk } from '../../../src/edge/auth/method.ts';
import { Nonces } from '../../../src/edge/auth/nonces.ts';
import { Abort } from '../../../src/net/abort.ts';
import type { ConfigInput } from '../../../src/proxy.ts';
import { accepted, requestText } from '../../protocol/heads.ts';
import { authMeans } from '../../support/auth.ts';
import { anyPort, nowhere } from '../../support/harness.ts';

const NOW = Date.UTC(2026, 10, 30, 10);
const SECRET = 'a secret of thirty-two bytes, or more';
const OTHER = 'another secret of thirty-two bytes, or more';

type Settings = NonNullable<NonNullable<ConfigInput['auth']>[string]['hmac']>;

function methodOf(own: Partial<Settings> = {}, now = () => NOW, before?: HmacMethod): HmacMethod {
  const keys = [
    { name: 'one', secret: SECRET, quota: { max_sessions: 3 } },
    { name: 'two', secret: OTHER },
  ];
  const auth = { signed: { hmac: { keys, ...own } } };
  const routes = [{ ...nowhere, auth: ['signed'] }];
  const { signed } = loadObject({ listeners: anyPort, routes, auth }, { baseDir: '.' }).config.auth;
  if (signed?.kind !== 'hmac') throw new Error('it is of its kind');
  return new HmacMethod(signed, authMeans({ wallNow: now }), before);
}

interface Spec {
  readonly secret?: string;
  readonly hash?: string;
  readonly parameters?: Record<string, string>;
  readonly fields?: Record<string, string>;
  readonly at?: number;
}

/** As a client signs the fields that it names. */
function signedBy({ secret = SECRET, hash = 'sha256', parameters = {}, fields = {}, at = NOW }: Spec = {}): AuthAsk {
  const all: Record<string, string> = { host: 'framegate.test', date: new Date(at).toUTCString(), ...fields };
  const headers = parameters.headers ?? '(request-target) host date';
  const text = headers.split(' ').map((name) => `${name}: ${name === '(request-target)' ? 'get /a?b' : all[name]}`);
  const signature = createHmac(hash, secret).update(text.join('\n')).digest('base64');
  const own = { keyId: 'one', algorithm: `hmac-${hash}`, headers, signature, ...parameters };
  const credentials = Object.entries(own).map(([name, value]) => `${name}="${value}"`);
  const { host = '', ...rest } = all;
  const lines = [...Object.entries(rest), ['Authorization', `Signature ${credentials.join(',')}`]];
  const sent = lines.filter(([, value]) => value !== '').map(([name, value]) => `${name}: ${value}`);
  const request = accepted(
    requestText({ line: 'GET /a?b HTTP/1.1', without: ['Host'], fields: [`Host: ${host}`, ...sent] }),
  );
  const arrival = { client: '', peer: '', peerTrusted: false, proto: 'http', requestId: 'r', tls: null };
  return { request, arrival, route: 'nowhere', clientKey: '', signal: new Abort(), deadline: 5_000 };
}

function judged(method: HmacMethod, ask: AuthAsk): string {
  const found = method.find(ask, new Set());
  if (typeof found !== 'string') return String(found);
  const verdict = method.judge(found, ask);
  const used = verdict.kind === 'good' ? (verdict.grant.use?.() ?? verdict) : verdict;
  if (used instanceof Promise) throw new Error('here it is known at once');
  return used.kind === 'bad' || used.kind === 'unavailable' ? used.cause : used.kind;
}

const STANDARD = methodOf();

test('a good one says whose key it was, and what that may use', () => {
  const ask = signedBy();
  const method = methodOf();
  const verdict = method.judge(String(method.find(ask, new Set())), ask);
  expect(verdict).toMatchObject({ kind: 'good', grant: { identity: 'one', key: 'one', quota: { max_sessions: 3 } } });
  if (verdict.kind !== 'good') return;
  expect(method.holds(verdict.grant)).toBe(true);
  expect(methodOf({ clock_skew: '60s' }).holds(verdict.grant)).toBe(true);
  const changed = methodOf({ keys: [{ name: 'one', secret: SECRET, quota: { max_sessions: 5 } }] });
  expect(changed.entryOf(verdict.grant)).toMatchObject({ quota: { max_sessions: 5 } });
  expect(methodOf({ keys: [{ name: 'one', secret: OTHER }] }).holds(verdict.grant)).toBe(false);
  expect(methodOf({ keys: [{ name: 'two', secret: SECRET }] }).holds(verdict.grant)).toBe(false);
  expect(JSON.stringify(verdict)).not.toContain(SECRET);
});

test.each<[string, Spec, string]>([
  ['hmac-sha512', { hash: 'sha512' }, 'good'],
  ['hmac-sha384, which is not listed', { hash: 'sha384' }, 'algorithm'],
  ['hs2019', { parameters: { algorithm: 'hs2019' } }, 'algorithm'],
  ['another case of its algorithm', { parameters: { algorithm: 'HMAC-SHA256' } }, 'algorithm'],
  ['the other hash', { parameters: { algorithm: 'hmac-sha512' } }, 'signature'],
  ['a key that is not there', { parameters: { keyId: 'none' } }, 'signature'],
  ['__proto__', { parameters: { keyId: '__proto__' } }, 'signature'],
  ["another key's secret", { parameters: { keyId: 'two' } }, 'signature'],
  ['its own secret', { parameters: { keyId: 'two' }, secret: OTHER }, 'good'],
  ['half a signature', { parameters: { signature: 'AAAAAAAAAAAAAAAAAAAAAA==' } }, 'signature'],
  ['no host signed', { parameters: { headers: '(request-target) date' } }, 'headers'],
  ['more signed', { parameters: { headers: 'x-a date host (request-target)' }, fields: { 'x-a': '1' } }, 'good'],
  ['a field signed that is not sent', { parameters: { headers: '(request-target) host date x-a' } }, 'headers'],
  ['30 s late', { at: NOW - 30_000 }, 'good'],
  ['31 s late', { at: NOW - 31_000 }, 'date'],
  ['30 s early', { at: NOW + 30_000 }, 'good'],
  ['31 s early', { at: NOW + 31_000 }, 'date'],
  ['no date that is one', { fields: { date: 'now' } }, 'date'],
])('%s', (_, spec, outcome) => {
  expect(judged(STANDARD, signedBy(spec))).toBe(outcome);
});

test('x-aux-date counts where it is signed, and nowhere else', () => {
  const method = methodOf({ headers: ['(request-target)', 'host', 'x-aux-date'] });
  const late = new Date(NOW - 60_000).toUTCString();
  const now = new Date(NOW).toUTCString();
  const headers = '(request-target) host x-aux-date';
  expect(judged(method, signedBy({ parameters: { headers }, fields: { 'x-aux-date': now, date: late } }))).toBe('good');
  expect(judged(method, signedBy({ parameters: { headers }, fields: { 'x-aux-date': late } }))).toBe('date');
  expect(judged(method, signedBy())).toBe('headers');
  expect(judged(STANDARD, signedBy({ fields: { 'x-aux-date': now, date: late } }))).toBe('date');
});

test.each([
  ['another scheme', 'Bearer '],
  ['no scheme', ''],
])('credentials of %s are none, and bad where nobody else reads them', (_, scheme) => {
  const method = methodOf();
  const ask = signedBy();
  const fields = ask.request.head.fields.map((field) =>
    field.lower === 'authorization' ? { ...field, value: field.value.replace('Signature ', scheme) } : field,
  );
  const other = { ...ask, request: { ...ask.request, head: { ...ask.request.head, fields } } };
  expect(method.find(other, new Set())).toBeNull();
  const found = method.find(other, new Set(['header:authorization']));
  expect(method.judge(String(found), other)).toEqual({ kind: 'bad', cause: 'form' });
});

test('replay: refuse lets each nonce of a key in once, also through a reload', () => {
  const settings: Partial<Settings> = { replay: 'refuse', headers: ['(request-target)', 'host', 'date', 'x-nonce'] };
  let now = NOW;
  const method = methodOf(settings, () => now);
  const headers = '(request-target) host date x-nonce';
  const ask = (nonce: string, own: Spec = {}) =>
    signedBy({ ...own, parameters: { headers, ...own.parameters }, fields: { 'x-nonce': nonce } });
  expect(judged(method, signedBy())).toBe('headers');
  expect(judged(method, ask('n1', { secret: OTHER }))).toBe('signature');
  expect(judged(method, ask('n1'))).toBe('good');
  expect(judged(method, ask('n1'))).toBe('replay');
  expect(judged(method, ask('n2'))).toBe('good');
  expect(judged(method, ask('n1', { secret: OTHER, parameters: { keyId: 'two' } }))).toBe('good');
  const next = methodOf({ ...settings, clock_skew: '31s' }, () => now, method);
  expect(judged(next, ask('n1'))).toBe('replay');
  now = NOW + 30_000;
  expect(judged(method, ask('n1'))).toBe('replay');
  now = NOW + 30_001;
  expect(judged(method, ask('n1'))).toBe('date');
  expect(judged(method, ask('n1', { at: NOW + 30_000 }))).toBe('good');
  expect(judged(method, ask('x'.repeat(257)))).toBe('date');
  now = NOW;
  expect([judged(method, ask('x'.repeat(256))), judged(method, ask('x'.repeat(257)))]).toEqual(['good', 'nonce']);
});

test('a nonce is used up when all else lets it in, by one of those who had found it new', () => {
  const method = methodOf({ replay: 'refuse', headers: ['(request-target)', 'host', 'date', 'x-nonce'] });
  const ask = signedBy({
    parameters: { headers: '(request-target) host date x-nonce' },
    fields: { 'x-nonce': 'n1' },
  });
  const [first, second] = [0, 1].map(() => method.judge(String(method.find(ask, new Set())), ask));
  if (first?.kind !== 'good' || second?.kind !== 'good') throw new Error('nobody was let in yet');
  expect(second.grant.use?.()).toBeNull();
  expect(first.grant.use?.()).toEqual({ kind: 'bad', cause: 'replay' });
});

test('a nonce is known for as long as its date is taken, though a reload has let older ones in', () => {
  let now = NOW;
  const settings: Partial<Settings> = { replay: 'refuse', headers: ['(request-target)', 'host', 'date', 'x-nonce'] };
  const method = methodOf(settings, () => now);
  const ask = signedBy({
    parameters: { headers: '(request-target) host date x-nonce' },
    fields: { 'x-nonce': 'n1' },
  });
  expect(judged(method, ask)).toBe('good');
  now = NOW + 40_000;
  expect(judged(method, ask)).toBe('date');
  expect(
    judged(
      methodOf({ ...settings, clock_skew: '1m' }, () => now, method),
      ask,
    ),
  ).toBe('replay');
});

test('10000 nonces are remembered; one more has no room until some are over', () => {
  const nonces = new Nonces();
  for (let index = 0; index < 10_000; index += 1) nonces.take('k', `${index}`, 5_000, 0);
  expect(nonces.take('k', 'more', 5_000, 0)).toBe('full');
  expect([nonces.look('k', 'more', 0), nonces.look('k', '0', 0)]).toEqual(['full', 'seen']);
  expect(nonces.take('k', '0', 5_000, 0)).toBe('seen');
  expect(nonces.take('k', 'more', 9_000, 5_000), 'to its last moment').toBe('full');
  expect(nonces.take('k', 'more', 9_000, 6_000)).toBe('new');
  expect(nonces.take('k', '0', 9_000, 6_000)).toBe('new');
});
