// One order, from the account to the certificate. It is the caller's that nobody else orders meanwhile. What was begun
// is in the folder before it counts, so that who comes after a crash goes on instead of ordering again.

import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import type { Authorization, Order } from 'acme-client';
import type { AcmeCertificate } from '../config/types.ts';
import type { Clock } from '../limits/clock.ts';
import type { TimerWheel } from '../limits/timer-wheel.ts';
import type { AbortLike } from '../net/abort.ts';
import type { ServiceClient } from '../services/service-client.ts';
import { accountOf, forgetAccount, keepAccount } from './account.ts';
import { AcmeError, cleaned } from './acme-error.ts';
import { Authority, type Library } from './authority.ts';
import { type Challenges, SEEN_AFTER_MS } from './challenges.ts';
import { pause } from './pause.ts';
import type { AcmeStore } from './store.ts';

/** Between two looks at what the authority is at: longer each time. */
const POLL_MIN_MS = 1_000;
const POLL_MAX_MS = 15_000;

interface OrderMeans {
  readonly library: Library;
  readonly service: Pick<ServiceClient, 'ask'>;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  /** Milliseconds since 1970. */
  readonly wallNow: () => number;
  readonly store: AcmeStore;
  readonly challenges: Challenges;
}

/** What was ordered, and the key that its certificate is for. */
interface Begun {
  readonly url: string;
  /** PEM. */
  readonly key: string;
}

interface Ordered {
  readonly authority: Authority;
  readonly order: Order;
  /** PEM. */
  readonly key: string;
}

/**
 * The key and the chain, in one PEM text, of which nothing is judged. Rejects with AcmeError. `signal`: given up, or
 * too late.
 */
export function order(settings: AcmeCertificate, means: OrderMeans, signal: AbortLike): Promise<string> {
  return new OrderRun(settings, means, signal).run();
}

class OrderRun {
  private readonly settings: AcmeCertificate;
  private readonly means: OrderMeans;
  private readonly signal: AbortLike;

  constructor(settings: AcmeCertificate, means: OrderMeans, signal: AbortLike) {
    this.settings = settings;
    this.means = means;
    this.signal = signal;
  }

  async run(): Promise<string> {
    const { store, challenges } = this.means;
    await store.sweep();
    try {
      const { authority, order: begun, key } = await this.begun();
      const ready = begun.status === 'pending' ? await this.prove(authority, begun) : begun;
      const finished = await this.finish(authority, ready, key);
      const chain = await authority.asked((client) => client.getCertificate(finished));
      return `${key.trim()}\n${chain.trim()}\n`;
    } finally {
      await challenges.clear();
    }
  }

  private async begun(): Promise<Ordered> {
    const authority = await this.authority();
    try {
      return (await this.resumed(authority)) ?? (await this.begin(authority));
    } catch (error) {
      if (!authority.hasNoAccount) throw error;
      await forgetAccount(this.means.store, this.settings);
      return this.begin(await this.authority());
    }
  }

  /** It is not needed any more: the certificate is kept, or the order came to nothing. */
  private forgetOrder(): Promise<void> {
    return this.means.store.remove(orderFile(this.settings));
  }

  private async authority(): Promise<Authority> {
    const { library, service, store, wallNow } = this.means;
    const { settings, signal } = this;
    const account = await accountOf(store, settings);
    const authority = new Authority({ library, settings, account, service, signal, wallNow });
    if (account.url === null) await keepAccount(store, settings, { ...account, url: await authority.makeAccount() });
    return authority;
  }

  /** What a process has begun that was ended; null where there is nothing to go on with. */
  private async resumed(authority: Authority): Promise<Ordered | null> {
    const { store } = this.means;
    const begun = parsedBegun((await store.read(orderFile(this.settings)))?.text ?? '');
    if (begun === null) return null;
    try {
      const known = await authority.asked((client) => client.getOrder({ url: begun.url } as Order));
      if (known.status !== 'invalid') return { authority, order: { ...known, url: begun.url }, key: begun.key };
    } catch (error) {
      if (!(error instanceof AcmeError) || error.fault !== 'refused') throw error;
    }
    await this.forgetOrder();
    return null;
  }

  private async begin(authority: Authority): Promise<Ordered> {
    const { store } = this.means;
    const made = await authority.order(this.settings.domains);
    const key = await newKey(this.settings.key);
    await store.write(orderFile(this.settings), JSON.stringify({ url: made.url, key } satisfies Begun));
    return { authority, order: made, key };
  }

  /** Show that the names are ours, and wait until the authority has seen it. */
  private async prove(authority: Authority, begun: Order): Promise<Order> {
    const authorizations = await authority.asked((client) => client.getAuthorizations(begun));
    const open = authorizations.filter(({ status }) => status !== 'valid');
    for (const one of open) await this.putProof(authority, one);
    // Others that share the folder may be asked in our place.
    await this.wait(SEEN_AFTER_MS);
    for (const one of open) {
      const challenge = this.challengeOf(one);
      if (challenge.status === 'pending') await authority.asked((client) => client.completeChallenge(challenge));
    }
    return this.until(authority, begun, ({ status }) => status !== 'pending');
  }

  private async putProof(authority: Authority, authorization: Authorization): Promise<void> {
    const { challenges, library } = this.means;
    const challenge = this.challengeOf(authorization);
    const proof = await authority.asked((client) => client.getChallengeKeyAuthorization(challenge));
    if (challenge.type === 'http-01') {
      await challenges.addAnswer(challenge.token, proof);
      return;
    }
    const key = await newKey('ecdsa');
    const [, cert] = await library.crypto.createAlpnCertificate(authorization, proof, key);
    await challenges.addCertificate(authorization.identifier.value, { cert: cert.toString(), key });
  }

  private challengeOf({ challenges, identifier }: Authorization): Authorization['challenges'][number] {
    const found = challenges.find(({ type }) => type === this.settings.challenge);
    if (found === undefined) {
      const offered = challenges.map(({ type }) => type).join(', ');
      throw new AcmeError('refused', cleaned(`no ${this.settings.challenge} for ${identifier.value}, but ${offered}`));
    }
    return found;
  }

  private async finish(authority: Authority, ready: Order, key: string): Promise<Order> {
    const { library } = this.means;
    let known = ready;
    if (known.status === 'ready') {
      const altNames = [...this.settings.domains];
      const [, csr] = await library.crypto.createCsr({ altNames }, key);
      known = await authority.asked((client) => client.finalizeOrder(ready, csr));
    }
    return this.until(authority, { ...known, url: ready.url }, ({ status }) => status === 'valid');
  }

  /** Ask until `isDone`; an order that has become invalid says why. */
  private async until(authority: Authority, begun: Order, isDone: (order: Order) => boolean): Promise<Order> {
    let known = begun;
    for (let ms = POLL_MIN_MS; !isDone(known); ms = Math.min(ms * 1.5, POLL_MAX_MS)) {
      if (known.status === 'invalid') throw await this.whyInvalid(authority, known);
      await this.wait(ms);
      known = { ...(await authority.asked((client) => client.getOrder(known))), url: begun.url };
    }
    if (known.status === 'invalid') throw await this.whyInvalid(authority, known);
    return known;
  }

  private async whyInvalid(authority: Authority, invalid: Order): Promise<AcmeError> {
    await this.forgetOrder();
    const authorizations = await authority.asked((client) => client.getAuthorizations(invalid));
    for (const { challenges, identifier } of authorizations) {
      for (const challenge of challenges) {
        const said: unknown = Reflect.get(challenge, 'error');
        const detail: unknown = typeof said === 'object' && said !== null ? Reflect.get(said, 'detail') : null;
        if (typeof detail === 'string') return new AcmeError('challenge', cleaned(`${identifier.value}: ${detail}`));
      }
    }
    return new AcmeError('refused', 'the authority has made the order invalid, and does not say why');
  }

  private async wait(ms: number): Promise<void> {
    await pause(ms, this.means, this.signal);
  }
}

export function orderFile({ id }: AcmeCertificate): string {
  return `order-${id}.json`;
}

const pair = promisify(generateKeyPair);

async function newKey(kind: AcmeCertificate['key']): Promise<string> {
  const { privateKey } =
    kind === 'rsa' ? await pair('rsa', { modulusLength: 2048 }) : await pair('ec', { namedCurve: 'P-256' });
  return String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
}

function parsedBegun(text: string): Begun | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return null;
    const [url, key] = [Reflect.get(value, 'url'), Reflect.get(value, 'key')] as unknown[];
    return typeof url === 'string' && typeof key === 'string' ? { url, key } : null;
  } catch {
    return null;
  }
}
