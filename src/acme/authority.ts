// One ACME authority as one order speaks with it: the package acme-client signs and knows the protocol, what goes over
// the network goes through our own client, with its deadline, caps and authorities. Nothing is kept in it afterwards.

import type { Client, Order } from 'acme-client';
import type { AcmeCertificate } from '../config/types.ts';
import type { AbortLike } from '../net/abort.ts';
import { type ServiceAnswer, type ServiceClient, ServiceError } from '../services/service-client.ts';
import { AcmeError, cleaned } from './acme-error.ts';
import { retryAfterOf, serviceUrl } from './authority-answers.ts';

export type Library = typeof import('acme-client');

/** For one request and its answer. */
const REQUEST_MS = 30_000;
/** The longest answer is a chain of certificates. */
const BODY_BYTES_MAX = 256 * 1024;
const USER_AGENT = 'framegate (acme-client)';
const RATE_LIMITED = 'urn:ietf:params:acme:error:rateLimited';
const NO_ACCOUNT = 'urn:ietf:params:acme:error:accountDoesNotExist';
const TOO_MANY_REQUESTS = 429;

export interface Account {
  /** PEM. */
  readonly key: string;
  /** Null before it was made. */
  readonly url: string | null;
}

/** What the authority has said last that is no success. */
interface Problem {
  readonly status: number;
  readonly type: string;
  readonly detail: string;
  readonly retryAfterMs: number | null;
}

interface AuthorityOptions {
  readonly library: Library;
  readonly settings: AcmeCertificate;
  readonly account: Account;
  readonly service: Pick<ServiceClient, 'ask'>;
  readonly signal: AbortLike;
  /** Milliseconds since 1970. */
  readonly wallNow: () => number;
}

interface PackageAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly data: unknown;
}

export class Authority {
  /** Its methods reject with whatever they like: they are called by `asked` alone. */
  private readonly client: Client;
  private readonly options: AuthorityOptions;
  private problem: Problem | null = null;

  constructor(options: AuthorityOptions) {
    const { library, settings, account } = options;
    this.options = options;
    const { eab, directory } = settings;
    this.client = new library.Client({
      directoryUrl: `https://${directory.authority}${directory.path}`,
      accountKey: account.key,
      ...(account.url === null ? {} : { accountUrl: account.url }),
      ...(eab === null ? {} : { externalAccountBinding: { kid: eab.kid, hmacKey: eab.hmac } }),
    });
    // Axios, which it brings, would follow redirects, wait as long as it is told and take what the process trusts.
    const http: unknown = Reflect.get(this.client, 'http');
    if (typeof http !== 'object' || http === null || typeof Reflect.get(http, 'request') !== 'function')
      throw new AcmeError('internal', 'this version of acme-client is not known: install acme-client 5.4');
    Reflect.set(http, 'request', (url: string, method: string, request?: { data?: unknown }) =>
      this.request(url, method, request?.data),
    );
  }

  /** Its URL. */
  async makeAccount(): Promise<string> {
    const { email } = this.options.settings;
    const contact = email === null ? {} : { contact: [`mailto:${email}`] };
    await this.asked(() => this.client.createAccount({ termsOfServiceAgreed: true, ...contact }));
    return this.client.getAccountUrl();
  }

  /** What `ask` resolves with; rejects with AcmeError. */
  async asked<T>(ask: (client: Client) => Promise<T>): Promise<T> {
    this.problem = null;
    try {
      return await ask(this.client);
    } catch (error) {
      throw this.faultOf(error);
    }
  }

  /** The account is not known there, which has lost it or is another one. */
  get hasNoAccount(): boolean {
    return this.problem?.type === NO_ACCOUNT;
  }

  order(domains: readonly string[]): Promise<Order> {
    const identifiers = domains.map((value) => ({ type: 'dns', value }));
    return this.asked((client) => client.createOrder({ identifiers }));
  }

  private faultOf(error: unknown): AcmeError {
    if (error instanceof AcmeError) return error;
    const { problem } = this;
    if (problem !== null) {
      const { type, detail, retryAfterMs, status } = problem;
      const isTooMany = type === RATE_LIMITED || status === TOO_MANY_REQUESTS;
      const isDown = status >= 500 && !isTooMany;
      const text = cleaned([`status ${status}`, type, detail].filter((part) => part !== '').join(': '));
      return new AcmeError(isTooMany ? 'rate_limited' : isDown ? 'unreachable' : 'refused', text, { retryAfterMs });
    }
    const message = error instanceof Error ? error.message : String(error);
    return new AcmeError('internal', cleaned(message), { cause: error });
  }

  /** In the form in which the package takes answers of Axios. */
  private async request(text: string, method: string, data: unknown): Promise<PackageAnswer> {
    const { settings, service, signal, wallNow } = this.options;
    const url = serviceUrl(text);
    if (url === null) throw new AcmeError('refused', `the authority names a URL that is none: ${cleaned(text)}`);
    const isPost = method.toUpperCase() === 'POST';
    let answer: ServiceAnswer;
    try {
      answer = await service.ask({
        url,
        tls: settings.tls,
        // RFC 8555 7.2: a nonce is had by GET as well, and only answers to that are what they say.
        method: isPost ? 'POST' : 'GET',
        headers: { 'User-Agent': USER_AGENT, ...(isPost ? { 'Content-Type': 'application/jose+json' } : {}) },
        body: isPost ? JSON.stringify(data) : null,
        bodyBytesMax: BODY_BYTES_MAX,
        timeoutMs: REQUEST_MS,
        // A question that is sent twice could be an order that is made twice.
        sharesConnections: false,
        signal,
      });
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      const { host, port } = url.endpoint;
      throw new AcmeError(error.isAborted ? 'aborted' : 'unreachable', cleaned(`${host}:${port}: ${error.message}`));
    }
    const given = packageAnswer(answer);
    this.problem = answer.status < 400 ? null : problemOf(given, wallNow());
    return given;
  }
}

function packageAnswer({ status, headers, body }: ServiceAnswer): PackageAnswer {
  const first = Object.fromEntries(Object.entries(headers).map(([name, [value = '']]) => [name, value]));
  const text = body.toString('utf8');
  if (!text.trimStart().startsWith('{')) return { status, headers: first, data: text };
  try {
    return { status, headers: first, data: JSON.parse(text) };
  } catch {
    return { status, headers: first, data: text };
  }
}

function problemOf({ status, data, headers }: PackageAnswer, wallNow: number): Problem {
  const field = (key: string): string => {
    const value: unknown = typeof data === 'object' && data !== null ? Reflect.get(data, key) : '';
    return typeof value === 'string' ? value : '';
  };
  return {
    status,
    type: field('type'),
    detail: field('detail'),
    retryAfterMs: retryAfterOf(headers['retry-after'], wallNow),
  };
}
