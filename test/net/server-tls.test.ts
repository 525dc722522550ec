// What a listener answers a ClientHello with, and for how long its contexts of OpenSSL are the same ones.

import { randomBytes } from 'node:crypto';
import type { SecureContext } from 'node:tls';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ListenerCertificate, ListenerTls } from '../../src/config/types.ts';
import { NO_LIVE_CERTIFICATES } from '../../src/net/live-certificates.ts';
import { ServerTls, type TlsTerms } from '../../src/net/server-tls.ts';
import { TicketSecrets } from '../../src/net/ticket-secrets.ts';
import type { ClientHello } from '../../src/protocol/tls/client-hello.ts';
import { type Authority, daysFromNow, type Identity, makeAuthority } from '../support/certs.ts';

const HOUR_MS = 3_600_000;
const START = 1_000 * HOUR_MS;

let authority: Authority;
let identity: Identity;
beforeAll(async () => {
  authority = await makeAuthority();
  identity = await authority.issue();
});

function certificate(...names: string[]): ListenerCertificate {
  return {
    cert: Buffer.from(identity.cert),
    key: Buffer.from(identity.key),
    passphrase: null,
    names,
    not_before: 0,
    not_after: 1,
    name: names[0] ?? 'unnamed',
  };
}

class Door {
  now = START;
  readonly tls: ServerTls;

  constructor(config: Partial<ListenerTls> = {}, secrets = new TicketSecrets()) {
    const whole: ListenerTls = {
      certificates: [certificate('first.test')],
      acme: [],
      unknown_name: 'first',
      min_version: 'TLSv1.2',
      ciphers: null,
      client_auth: 'none',
      client_ca: null,
      client_crl: null,
      tickets: 'on',
      ...config,
    };
    this.tls = new ServerTls({ config: whole, secrets, wallNow: () => this.now, live: NO_LIVE_CERTIFICATES });
  }

  answer(hello: Partial<ClientHello> = {}): TlsTerms | string {
    return this.tls.answer({ serverName: null, isNameUnfit: false, protocols: null, ...hello });
  }

  context(serverName: string | null = null): SecureContext {
    const terms = this.answer({ serverName });
    if (typeof terms === 'string') throw new Error(terms);
    return terms.context;
  }

  contextAt(now: number): SecureContext {
    this.now = now;
    return this.context();
  }
}

describe('which certificate answers', () => {
  const named = () =>
    new Door({
      certificates: [
        certificate('first.test', 'both.wild.test'),
        certificate('*.wild.test', 'again.test'),
        certificate('x.wild.test', 'again.test', '*.wild.test'),
      ],
    });

  test.each([
    ['first.test', 0],
    ['x.wild.test', 2],
    ['y.wild.test', 1],
    ['both.wild.test', 0],
    ['again.test', 1],
    ['a.b.wild.test', 0],
    ['wild.test', 0],
    ['.wild.test', 0],
    ['*.wild.test', 1],
    ['other', 0],
    ['__proto__', 0],
    [null, 0],
  ] as const)('%s: number %i', (name, index) => {
    const door = named();
    const contexts = ['first.test', 'y.wild.test', 'x.wild.test'].map((one) => door.context(one));
    expect(new Set(contexts).size).toBe(3);
    expect(contexts.indexOf(door.context(name))).toBe(index);
  });

  test('a name that none has is refused only where that is said, one that is no name everywhere', () => {
    const door = new Door({ unknown_name: 'refuse' });
    expect(door.answer({ serverName: 'first.test' })).toBeTypeOf('object');
    expect(door.answer({ serverName: 'other.test' })).toBe('unrecognized_name');
    expect(door.answer()).toBeTypeOf('object');
    for (const one of [door, new Door()]) expect(one.answer({ isNameUnfit: true })).toBe('unrecognized_name');
  });
});

describe('ALPN', () => {
  test.each([
    [null, null],
    [['http/1.1'], Buffer.from('\bhttp/1.1')],
    [['h2', 'http/1.1'], Buffer.from('\bhttp/1.1')],
  ])('%j is answered with %j', (protocols, expected) => {
    expect(new Door().answer({ protocols })).toMatchObject({ alpn: expected });
  });

  test.each([[['h2']], [['HTTP/1.1']], [['http/1.0', 'h3']], [['acme-tls/1']]])('%j is refused', (protocols) => {
    expect(new Door().answer({ protocols })).toBe('no_application_protocol');
  });
});

describe('contexts', () => {
  test('are made once, and anew when the secret is 12 hours old', () => {
    const door = new Door();
    const first = door.context();
    expect(door.contextAt(START + 12 * HOUR_MS - 1)).toBe(first);
    const second = door.contextAt(START + 12 * HOUR_MS);
    expect(second).not.toBe(first);
    expect(door.contextAt(START + 24 * HOUR_MS - 1)).toBe(second);
    expect(door.contextAt(START + 24 * HOUR_MS)).not.toBe(second);
  });

  test('a clock that was set back keeps no secret for longer', () => {
    const secrets = new TicketSecrets();
    const first = secrets.current(START);
    expect(secrets.current(START)).toBe(first);
    const second = secrets.current(START - 1);
    expect(second.equals(first)).toBe(false);
    expect(secrets.current(START + 12 * HOUR_MS - 2)).toBe(second);
    expect(secrets.current(START + 12 * HOUR_MS - 1)).not.toBe(second);
  });

  test('of a key in a file stay for good, where nobody shows a certificate', () => {
    const door = new Door({ tickets: { key: randomBytes(48) } });
    expect(door.contextAt(START + 1_000 * HOUR_MS)).toBe(door.context());
  });

  test('are made anew when an authority or a list begins or ends, and each hour', async () => {
    const at = (minutes: number) => new Date(START + minutes * 60_000);
    const ending = await makeAuthority('Ending', { notBefore: at(10), notAfter: at(20) });
    const crl = await authority.crl([], { notBefore: daysFromNow(-1), notAfter: at(30) });
    const door = new Door({
      client_auth: 'request',
      client_ca: Buffer.from(ending.ca),
      client_crl: [Buffer.from(crl)],
    });
    const seen: SecureContext[] = [];
    for (const minutes of [0, 10, 20, 30, 60, 120]) {
      if (minutes > 0) expect(door.contextAt(START + minutes * 60_000 - 1)).toBe(seen.at(-1));
      const context = door.contextAt(START + minutes * 60_000);
      expect(seen).not.toContain(context);
      seen.push(context);
    }
  });
});
