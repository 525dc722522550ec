// The methods of a route in their order: the first that finds a credential of its kind decides.

import { type CredentialPlace, placeKey, valuesAt, withoutPlaces } from '../../protocol/credential-places.ts';
import type { Refusal } from '../../protocol/refusals.ts';
import {
  type AuthAsk,
  type AuthMeans,
  type AuthMethod,
  type AuthVerdict,
  type Found,
  type Rivals,
  SEVERAL,
} from './method.ts';

export interface Judged {
  readonly method: AuthMethod;
  readonly verdict: AuthVerdict;
  /** What it has judged. */
  readonly ask: AuthAsk;
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

  /** What of a request does not go on; null: nobody has decided. */
  strippedBy(decided: Judged | null): readonly CredentialPlace[] {
    if (decided === null || decided.method.config.strip) return this.places;
    const kept = this.checkedIn(decided);
    // What a method of its own keeps is kept only where none that keeps nothing reads it, too.
    return this.methods.flatMap(({ config, places }) =>
      config.strip ? places : places.filter((place) => !kept.has(placeKey(place))),
    );
  }

  /** Where others read, too, what stands there may be theirs: only where its own has been found it is checked. */
  private checkedIn({ method, ask }: Judged): ReadonlySet<string> {
    const index = this.methods.indexOf(method);
    const isFoundAt = (place: CredentialPlace): boolean => {
      const request = withoutPlaces(ask.request, [place]);
      return valuesAt(place, ask.request).length === 1 && this.find(index, { ...ask, request }) === null;
    };
    // A service has seen all that it was sent.
    const isChecked = (place: CredentialPlace): boolean =>
      method.config.kind === 'forward' || this.sole[index]?.has(placeKey(place)) === true || isFoundAt(place);
    return new Set(method.places.filter(isChecked).map(placeKey));
  }

  ask(ask: AuthAsk): ChainAnswer | Promise<ChainAnswer> {
    for (const [index, method] of this.methods.entries()) {
      const found = this.find(index, ask);
      if (found === null) continue;
      if (found === SEVERAL) return { several: method };
      return method.isGuessable ? this.guarded(method, found, ask) : judged(method, method.judge(found, ask), ask);
    }
    return 'absent';
  }

  private find(index: number, ask: AuthAsk): Found {
    return this.methods[index]?.find(ask, this.sole[index] ?? new Set(), this.rivals[index] ?? (() => [])) ?? null;
  }

  /** Who has brought too many bad ones is heard no more: nothing is looked up for it, nothing hashed. */
  private guarded(method: AuthMethod, credential: string, ask: AuthAsk): Judged | Promise<Judged> {
    const { failures, clock } = this.means;
    const refusal = failures.against(ask.clientKey, clock.now());
    if (refusal !== null) return { method, verdict: { kind: 'refused', refusal }, ask };
    const noted = (verdict: AuthVerdict): AuthVerdict => {
      if (isBad(verdict)) failures.note(ask.clientKey, `${method.config.name} ${credential}`, clock.now());
      return verdict;
    };
    const verdict = method.judge(credential, ask);
    return judged(method, verdict instanceof Promise ? verdict.then(noted) : noted(verdict), ask);
  }

  /** RFC 9110 11.6.1: with one challenge for each method that has one. */
  unauthorized(cause: string): Refusal {
    const challenges = this.methods.flatMap(({ challenge }) => challenge ?? []);
    return { slug: 'unauthorized', cause, fields: challenges.map((one) => ['WWW-Authenticate', one] as const) };
  }
}

function judged(
  method: AuthMethod,
  verdict: AuthVerdict | Promise<AuthVerdict>,
  ask: AuthAsk,
): Judged | Promise<Judged> {
  return verdict instanceof Promise
    ? verdict.then((late) => ({ method, verdict: late, ask }))
    : { method, verdict, ask };
}

/** A service may answer with a 401 of its own. */
function isBad(verdict: AuthVerdict): boolean {
  return verdict.kind === 'bad' || (verdict.kind === 'refused' && verdict.refusal.slug === 'unauthorized');
}

function keysOf({ places }: AuthMethod): string[] {
  return [...new Set(places.map(placeKey))];
}
