// The methods of a route in their order: the first that finds a credential of its kind decides.

import { type CredentialPlace, placeKey } from '../../protocol/credential-places.ts';
import type { Refusal } from '../../protocol/refusals.ts';
import { type AuthAsk, type AuthMeans, type AuthMethod, type AuthVerdict, type Rivals, SEVERAL } from './method.ts';

interface Judged {
  readonly method: AuthMethod;
  readonly verdict: AuthVerdict;
}

/** `absent`: nobody found anything. `several`: one method found too much. */
export type ChainAnswer = Judged | { readonly several: AuthMethod } | 'absent';

export class AuthChain {
  readonly methods: readonly AuthMethod[];
  /** Who brings nothing comes in. */
  readonly allowsAnonymous: boolean;
  private readonly means: Pick<AuthMeans, 'failures' | 'clock'>;
  /** All that any of them reads. */
  readonly places: readonly CredentialPlace[];
  /** Of these what no backend gets, whoever decides. */
  readonly hidden: readonly CredentialPlace[];
  /** For each method the places that no other one reads. */
  private readonly sole: readonly ReadonlySet<string>[];
  private readonly rivals: readonly Rivals[];

  constructor(methods: readonly AuthMethod[], allowsAnonymous: boolean, means: Pick<AuthMeans, 'failures' | 'clock'>) {
    this.methods = methods;
    this.means = means;
    this.allowsAnonymous = allowsAnonymous;
    this.places = methods.flatMap((method) => method.places);
    this.hidden = methods.flatMap((method) => (method.config.strip ? method.places : []));
    const counts = new Map<string, number>();
    for (const key of methods.flatMap(keysOf)) counts.set(key, (counts.get(key) ?? 0) + 1);
    this.sole = methods.map((method) => new Set(keysOf(method).filter((key) => counts.get(key) === 1)));
    this.rivals = methods.map((method) => {
      const others = methods.filter((other) => other !== method).map((other) => [other.config, keysOf(other)] as const);
      return (place) => others.flatMap(([config, keys]) => (keys.includes(placeKey(place)) ? [config] : []));
    });
  }

  /** What of a request does not go on, when `decider` has decided; null when nobody has. */
  strippedBy(decider: AuthMethod | null): readonly CredentialPlace[] {
    const kept = decider !== null && !decider.config.strip ? new Set(keysOf(decider)) : null;
    return this.methods.flatMap((method) => {
      if (method === decider && kept !== null) return [];
      // What a method of its own keeps is kept only where none that keeps nothing reads it, too.
      return kept === null || method.config.strip
        ? method.places
        : method.places.filter((place) => !kept.has(placeKey(place)));
    });
  }

  ask(ask: AuthAsk): ChainAnswer | Promise<ChainAnswer> {
    for (const [index, method] of this.methods.entries()) {
      const found = method.find(ask, this.sole[index] ?? new Set(), this.rivals[index] ?? (() => []));
      if (found === null) continue;
      if (found === SEVERAL) return { several: method };
      return method.isGuessable ? this.guarded(method, found, ask) : judged(method, method.judge(found, ask));
    }
    return 'absent';
  }

  /** Who has brought too many bad ones is heard no more: nothing is looked up for it, nothing hashed. */
  private guarded(method: AuthMethod, credential: string, ask: AuthAsk): Judged | Promise<Judged> {
    const { failures, clock } = this.means;
    const refusal = failures.against(ask.clientKey, clock.now());
    if (refusal !== null) return { method, verdict: { kind: 'refused', refusal } };
    const noted = (verdict: AuthVerdict): AuthVerdict => {
      if (isBad(verdict)) failures.note(ask.clientKey, `${method.config.name} ${credential}`, clock.now());
      return verdict;
    };
    const verdict = method.judge(credential, ask);
    return judged(method, verdict instanceof Promise ? verdict.then(noted) : noted(verdict));
  }

  /** RFC 9110 11.6.1: with one challenge for each method that has one. */
  unauthorized(cause: string): Refusal {
    const challenges = this.methods.flatMap(({ challenge }) => challenge ?? []);
    return { slug: 'unauthorized', cause, fields: challenges.map((one) => ['WWW-Authenticate', one] as const) };
  }
}

function judged(method: AuthMethod, verdict: AuthVerdict | Promise<AuthVerdict>): Judged | Promise<Judged> {
  return verdict instanceof Promise ? verdict.then((late) => ({ method, verdict: late })) : { method, verdict };
}

/** A service may answer with a 401 of its own. */
function isBad(verdict: AuthVerdict): boolean {
  return verdict.kind === 'bad' || (verdict.kind === 'refused' && verdict.refusal.slug === 'unauthorized');
}

function keysOf({ places }: AuthMethod): string[] {
  return [...new Set(places.map(placeKey))];
}
