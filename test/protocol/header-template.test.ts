import { describe, expect, test } from 'vitest';
import {
  fillTemplate,
  makeTemplate,
  PLACEHOLDERS,
  parseTemplate,
  type TemplateFacts,
} from '../../src/protocol/header-template.ts';
import { parsePattern } from '../../src/protocol/path.ts';
import { accepted, requestText } from './heads.ts';

interface Asked {
  readonly target?: string;
  readonly fields?: readonly string[];
  readonly pattern?: string;
  readonly facts?: Partial<TemplateFacts>;
}

/** What `text` becomes for a request. */
function filled(text: string, { target = '/chat/42/x', fields = [], pattern = '/chat/{room}/*', facts }: Asked = {}) {
  const parsed = parseTemplate(text);
  const path = parsePattern(pattern);
  if (!parsed.ok || !path.ok) throw new Error(`not read: ${text}`);
  return fillTemplate(makeTemplate(parsed.parts, path.pattern), {
    request: accepted(requestText({ line: `GET ${target} HTTP/1.1`, fields })),
    clientAddress: '192.0.2.7',
    peerAddress: '10.0.0.1',
    peerTrusted: false,
    requestId: 'r1',
    route: 'chat',
    listener: 'public',
    tls: null,
    holder: null,
    ...facts,
  });
}

const faultOf = (text: string) => {
  const parsed = parseTemplate(text);
  return parsed.ok ? null : parsed.fault;
};

const tls = {
  sni: 'a.example',
  version: 'TLSv1.3',
  certificate: { subject: 'CN=Zoë', san: 'DNS:a,URI:"b,\\"c",DNS:d', sha256: 'ab12' },
};

describe('the text', () => {
  test.each([
    ['', ''],
    ['plain text', 'plain text'],
    [' blanks stay ', ' blanks stay '],
    ['100%41', '100%41'],
    ['{{', '{'],
    ['}}', '}'],
    ['{{client_ip}}', '{client_ip}'],
    ['{{{client_ip}}}', '{192.0.2.7}'],
    ['{{}}{{', '{}{'],
    ['a {client_ip}, {peer_ip}', 'a 192.0.2.7, 10.0.0.1'],
    ['{client_ip}{client_ip}', '192.0.2.7192.0.2.7'],
  ])('%j is %j', (text, value) => expect(filled(text)).toBe(value));

  test.each(['{', '}', 'a{', 'a}', '{client_ip', 'client_ip}', '{{}', '{}}', '{a{b}}', '{client_ip}}', '{{{'])(
    '%j: a single brace is a fault',
    (text) => expect(faultOf(text)?.kind).toMatch(/stray_brace|unknown/),
  );

  test('which fault it is', () => {
    expect(faultOf('a } b')).toEqual({ kind: 'stray_brace' });
    expect(faultOf('{client_ip')).toEqual({ kind: 'stray_brace' });
    expect(faultOf('{a{client_ip}')).toEqual({ kind: 'stray_brace' });
    expect(faultOf('{}')).toEqual({ kind: 'unknown', name: '' });
    expect(faultOf('{clientip}')).toEqual({ kind: 'unknown', name: 'clientip' });
    expect(faultOf('{claims.sub}')).toEqual({ kind: 'unknown', name: 'claims.sub' });
    expect(faultOf('{__proto__}')).toEqual({ kind: 'unknown', name: '__proto__' });
    expect(faultOf('{constructor.name}')).toEqual({ kind: 'unknown', name: 'constructor.name' });
    for (const text of ['é', 'a\r\nX: 1', '\t', '\x7f', '\u010d\u010a'])
      expect(faultOf(text)).toEqual({ kind: 'text' });
  });

  test.each(['path.', 'query.', 'query.a b', 'query.é', `query.${'a'.repeat(129)}`, 'header.', 'header.X_A'])(
    '{%s} has no NAME that can be',
    (name) => expect(faultOf(`{${name}}`)?.kind).toMatch(/argument|text/),
  );

  test.each(['Connection', 'upgrade', 'Proxy-Authorization', 'X-Real-IP', 'x-request-id', 'a'.repeat(65)])(
    '{header.%s} is never passed as the client sent it',
    (name) => expect(faultOf(`{header.${name}}`)).toEqual({ kind: 'argument', name: `header.${name}` }),
  );

  test('the longest names', () => {
    expect(faultOf(`{query.${'a'.repeat(128)}}`)).toBe(null);
    expect(faultOf(`{header.${'a'.repeat(64)}}`)).toBe(null);
  });

  test('each placeholder that is listed is one', () => {
    for (const name of PLACEHOLDERS) expect(faultOf(`{${name}}`), name).toBe(null);
  });
});

describe('the values', () => {
  test.each([
    ['{host}', 'chat.example.com'],
    ['{path}', '/chat/42/x'],
    ['{path.room}', '42'],
    ['{request_id}', 'r1'],
    ['{route}', 'chat'],
    ['{listener}', 'public'],
  ])('%s is %s', (text, value) => expect(filled(text)).toBe(value));

  test('of TLS, where there is some', () => {
    const all = '{sni} {tls_version} {client_cert.subject} {client_cert.san} {client_cert.sha256}';
    expect(filled(all, { facts: { tls } })).toBe('a.example TLSv1.3 CN=Zo%C3%AB DNS:a,URI:"b%2C\\"c",DNS:d ab12');
    for (const one of all.split(' ')) expect(filled(one)).toBe(null);
    const bare = { tls: { ...tls, sni: null, certificate: null } };
    for (const one of all.split(' ')) {
      expect(filled(one, { facts: bare })).toBe(one === '{tls_version}' ? 'TLSv1.3' : null);
    }
  });

  test('of whoever it is for, where auth knows', () => {
    const forwarded = new Map([['x-plan', 'gold\u20ac']]);
    const claims = { sub: 'ada', 'a.b': 'exact', a: { b: 'path', c: { d: 7 } }, ok: true, none: null };
    const holder = { auth: 'users', identity: 'Zo\u00eb', claims, forwarded };
    const of = (text: string) => filled(text, { facts: { holder } });
    expect(of('{auth}/{identity}')).toBe('users/Zo%C3%AB');
    expect(of('{claim.sub} {claim.a.b} {claim.a.c.d} {claim.ok}')).toBe('ada exact 7 true');
    expect(of('{forward.X-Plan}')).toBe('gold%E2%82%AC');
    for (const text of ['{claim.none}', '{claim.a}', '{claim.a.c}', '{claim.x}', '{claim.a.c.d.e}', '{forward.x}'])
      expect(of(text), text).toBe(null);
    expect(filled('{identity}', { facts: { holder: { ...holder, identity: null } } })).toBe(null);
    for (const text of ['{identity}', '{auth}', '{claim.sub}', '{forward.x-plan}']) expect(filled(text)).toBe(null);
  });

  test('a list of claims is joined when each is encoded; of what is no list of texts there is none', () => {
    const of = (claim: unknown) =>
      filled('{claim.c}', { facts: { holder: { auth: 'a', identity: null, claims: { c: claim }, forwarded: null } } });
    expect(of(['a', 'b,c', 3, false])).toBe('a,b%2Cc,3,false');
    expect(of(['a,b'])).toBe('a,b');
    expect(of('a,b')).toBe('a,b');
    for (const none of ['', [], [''], [null], ['a', ['b']], ['a', { b: 'c' }], {}, undefined])
      expect(of(none)).toBe(null);
    expect(of('a\r\nX-Admin: 1')).toBe('a%0D%0AX-Admin: 1');
    expect(of(['a\u010d\u010aX', '\u0100', '\ud800', '\udfff\ud800'])).toBe(
      'a%C4%8D%C4%8AX,%C4%80,%EF%BF%BD,%EF%BF%BD%EF%BF%BD',
    );
    expect(of(Array.from({ length: 600 }, () => 'a'))).toBe(Array.from({ length: 512 }, () => 'a').join());
    expect(of('\u00e9'.repeat(400))).toBe('%C3%A9'.repeat(170));
  });

  test('one without a value is the end of all of it', () => {
    expect(filled('a {client_ip} b', { facts: { clientAddress: '' } })).toBe(null);
    expect(filled('{client_ip}{peer_ip}', { facts: { peerAddress: '' } })).toBe(null);
    expect(filled('{query.a}x', { target: '/chat/1' })).toBe(null);
    expect(filled('{query.a}', { target: '/chat/1?a=' })).toBe(null);
    expect(filled('{query.a}', { target: '/chat/1?a' })).toBe(null);
    expect(filled('{header.X-A}', { fields: ['X-A:'] })).toBe(null);
  });

  test('a path is decoded, then encoded', () => {
    const of = (path: string) => filled('{path}', { target: path, pattern: '/*' });
    expect(of('/a%20b')).toBe('/a b');
    expect(of('/a%20')).toBe('/a%20');
    expect(of('/caf%c3%a9')).toBe('/caf%C3%A9');
    expect(of('/%41%25')).toBe('/A%25');
    expect(of('/a%0d%0aX-Admin:%201')).toBe('/a%0D%0AX-Admin: 1');
    expect(of('/%ff')).toBe('/%FF');
    expect(of('/a?b')).toBe('/a');
  });

  test('a segment of it by its name', () => {
    const pattern = '/{a}/b/{c}/*';
    expect(filled('{path.a}-{path.c}', { target: '/1/b/2%2f3/4', pattern })).toBe('1-2/3');
    expect(filled('{path.c}', { target: '/1/b/%20', pattern })).toBe('%20');
    expect(filled('{path.a}', { target: '/1?x', pattern: '/{a}' })).toBe('1');
  });

  test('a query is decoded as browsers write it, the first of a name counts', () => {
    const of = (query: string, name = 'a') => filled(`{query.${name}}`, { target: `/chat/1${query}` });
    expect(of('?a=1&a=2')).toBe('1');
    expect(of('?b=1&a=2')).toBe('2');
    expect(of('?a=x+y%20z')).toBe('x y z');
    expect(of('?a=%2B')).toBe('+');
    expect(of('?%61=1')).toBe('1');
    expect(of('?aa=1&A=2')).toBe(null);
    expect(of('?a=b=c')).toBe('b=c');
    expect(of('?a=100%')).toBe('100%25');
    expect(of('?a=%zz%4')).toBe('%25zz%254');
    expect(of('?a=%0D%0AX-Admin%3A+1')).toBe('%0D%0AX-Admin: 1');
    expect(of('?a=%c4%8d%c4%8aX')).toBe('%C4%8D%C4%8AX');
    expect(of('?__proto__=1', '__proto__')).toBe('1');
    expect(of('?a=1', '__proto__')).toBe(null);
    expect(of(`?a=${'b'.repeat(1025)}`)).toBe('b'.repeat(1024));
  });

  test('a field of the client: all its lines', () => {
    const of = (fields: readonly string[], facts: Partial<TemplateFacts> = {}) =>
      filled('{header.X-A}', { fields, facts });
    expect(of(['X-A: 1'])).toBe('1');
    expect(of(['x-a: 1', 'X-B: 2', 'X-A:', 'X-a: 3, 4'])).toBe('1,3, 4');
    expect(of(['X-A: caf\xe9 %'])).toBe('caf%E9 %25');
    expect(of(['X-B: 1'])).toBe(null);
    expect(filled('{header.X-B}', { fields: ['Connection: X-B', 'X-B: 1'] })).toBe(null);
  });

  test('a field that only a proxy may claim: of a trusted one', () => {
    for (const name of ['X-Forwarded-For', 'CF-Connecting-IP', 'Remote-User', 'Forwarded', 'X-SSL-Client-Verify']) {
      const asked = { fields: [`${name}: a`] };
      expect(filled(`{header.${name}}`, asked)).toBe(null);
      expect(filled(`{header.${name}}`, { ...asked, facts: { peerTrusted: true } })).toBe('a');
    }
  });
});
