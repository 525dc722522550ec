// An ACME authority as our own client of services is told of it: no sockets, no signatures, and each answer can be
// another one. What proves a name it asks of the certificates under test.

import '../support/reflect.ts';
import { X509Certificate } from 'node:crypto';
import { Pkcs10CertificateRequest, SubjectAlternativeNameExtension, X509CertificateGenerator } from '@peculiar/x509';
import type { LiveCertificates } from '../../src/net/live-certificates.ts';
import { type ServiceAnswer, type ServiceAsk, ServiceError } from '../../src/services/service-client.ts';

export const HOST = 'https://ca.test';
const DAY_MS = 86_400_000;
const SIGNING = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

interface FakeOrder {
  status: string;
  readonly domains: readonly string[];
  csr: Buffer | null;
}

interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export class FakeAuthority {
  /** Paths that were asked, in order. */
  readonly asked: string[] = [];
  readonly orders: FakeOrder[] = [];
  /** What is answered instead; undefined: as usual. Throws ServiceError for what cannot be reached. */
  instead: (path: string) => Reply | undefined = () => undefined;
  /** Who is asked for proofs. */
  live: LiveCertificates | null = null;
  challenge: 'http-01' | 'tls-alpn-01' = 'http-01';
  /** When it says that it is. */
  now = () => Date.now();
  lifeMs = 90 * DAY_MS;
  /** Names of the certificate; those that were ordered, unless given. */
  names: readonly string[] | null = null;
  /** Accounts that it knows. */
  accounts = 0;
  private nonces = 0;

  async ask({ url, method, body, signal }: ServiceAsk): Promise<ServiceAnswer> {
    this.asked.push(url.path);
    if (signal.aborted) throw new ServiceError('aborted', true);
    const payload = method === 'POST' ? payloadOf(body ?? '') : null;
    const {
      status = 200,
      headers = {},
      body: said = '',
    } = this.instead(url.path) ?? (await this.answer(url.path, payload));
    this.nonces += 1;
    const all = { 'replay-nonce': `nonce${this.nonces}`, ...headers };
    return {
      status,
      headers: Object.fromEntries(Object.entries(all).map(([name, value]) => [name, [value]])),
      body: Buffer.from(typeof said === 'string' ? said : JSON.stringify(said)),
    };
  }

  count(path: string): number {
    return this.asked.filter((one) => one === path).length;
  }

  /** A problem in the form of RFC 7807. */
  static problem(status: number, type: string, detail: string, headers: Reply['headers'] = {}): Reply {
    return { status, headers, body: { type: `urn:ietf:params:acme:error:${type}`, detail } };
  }

  private async answer(path: string, payload: Record<string, unknown> | null): Promise<Reply> {
    const [, kind = '', number = '', index = ''] = path.split('/');
    const order = this.orders[Number(number)];
    const location = `${HOST}/order/${number}`;
    switch (kind) {
      case 'directory':
        return { body: { newNonce: `${HOST}/nonce`, newAccount: `${HOST}/account`, newOrder: `${HOST}/new` } };
      case 'nonce':
        return { status: 204 };
      case 'account':
        this.accounts += 1;
        return { status: 201, headers: { location: `${HOST}/acct/${this.accounts}` }, body: { status: 'valid' } };
      case 'new': {
        const identifiers = payload?.identifiers as { value: string }[]; // of our own request
        this.orders.push({ status: 'pending', domains: identifiers.map(({ value }) => value), csr: null });
        return this.shown(this.orders.length - 1, 201);
      }
      case 'order':
        return this.shown(Number(number), 200);
      case 'authz':
        return { body: this.authorization(Number(number), Number(index)) };
      case 'challenge':
        if (order !== undefined) this.prove(order, Number(index), number);
        return { body: { type: this.challenge, status: 'processing', url: `${HOST}${path}` } };
      case 'finalize':
        if (order !== undefined) {
          order.csr = Buffer.from(String(payload?.csr), 'base64url');
          order.status = 'valid';
        }
        return this.shown(Number(number), 200, location);
      case 'cert':
        return { body: order?.csr ? await this.sign(order, order.csr) : '' };
      default:
        return FakeAuthority.problem(404, 'malformed', path);
    }
  }

  private shown(number: number, status: number, location = `${HOST}/order/${number}`): Reply {
    const order = this.orders[number];
    if (order === undefined) return FakeAuthority.problem(404, 'malformed', 'no such order');
    const authorizations = order.domains.map((_, index) => `${HOST}/authz/${number}/${index}`);
    const body = {
      status: order.status,
      identifiers: order.domains.map((value) => ({ type: 'dns', value })),
      authorizations,
      finalize: `${HOST}/finalize/${number}`,
      ...(order.status === 'valid' ? { certificate: `${HOST}/cert/${number}` } : {}),
    };
    return { status, headers: { location }, body };
  }

  private authorization(number: number, index: number): unknown {
    const order = this.orders[number];
    const url = `${HOST}/challenge/${number}/${index}`;
    const error = { type: 'urn:ietf:params:acme:error:unauthorized', detail: 'no proof \u001b[31m there' };
    const isBad = order?.status === 'invalid';
    const challenge = {
      type: this.challenge,
      status: isBad ? 'invalid' : 'pending',
      url,
      token: tokenOf(number, index),
    };
    return {
      status: order?.status === 'pending' ? 'pending' : isBad ? 'invalid' : 'valid',
      identifier: { type: 'dns', value: order?.domains[index] },
      challenges: [isBad ? { ...challenge, error } : challenge],
    };
  }

  /** Every name is looked at when the first is said to be ready. */
  private prove(order: FakeOrder, index: number, number: string): void {
    if (order.status !== 'pending') return;
    const domain = order.domains[index] ?? '';
    const proof =
      this.challenge === 'http-01'
        ? this.live?.answerFor(tokenOf(Number(number), index))
        : this.live?.challengeFor(domain);
    order.status = proof == null ? 'invalid' : 'ready';
  }

  private async sign({ domains }: FakeOrder, csr: Buffer): Promise<string> {
    const request = new Pkcs10CertificateRequest(csr);
    const keys = await crypto.subtle.generateKey(SIGNING, true, ['sign', 'verify']);
    const now = this.now();
    const certificate = await X509CertificateGenerator.create({
      subject: 'CN=made',
      issuer: 'CN=Fake CA',
      notBefore: new Date(now),
      notAfter: new Date(now + this.lifeMs),
      signingAlgorithm: SIGNING,
      publicKey: request.publicKey,
      signingKey: keys.privateKey,
      extensions: [
        new SubjectAlternativeNameExtension((this.names ?? domains).map((value) => ({ type: 'dns', value }))),
      ],
    });
    return `${new X509Certificate(Buffer.from(certificate.rawData)).toString()}\n`;
  }
}

function tokenOf(number: number, index: number): string {
  return `token-of-${number}-${index}-padded`;
}

function payloadOf(body: string): Record<string, unknown> {
  const { payload = '' } = JSON.parse(body) as { payload?: string }; // as we have signed it
  return payload === '' ? {} : JSON.parse(Buffer.from(payload, 'base64url').toString());
}
