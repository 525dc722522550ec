// Finds the credential of a method in a request: looks at each of its places, and takes what is of its kind. Two are
// one too many.

import { type CredentialPlace, placeKey, valuesAt } from '../../protocol/credential-places.ts';
import { type AuthAsk, type Found, SEVERAL } from './method.ts';

/** One text at a place. Of `Authorization` the scheme in lower case; '' for a bare one and for other places. */
interface Carried {
  readonly scheme: string;
  readonly text: string;
}

interface Finder {
  readonly places: readonly CredentialPlace[];
  /** Whether it is of this method's kind, where others read the same place. */
  isMine(carried: Carried): boolean;
}

/** What is found is without its scheme, unless it is one that only its method would know what to do with. */
export function findCredential({ places, isMine }: Finder, { request }: AuthAsk, sole: ReadonlySet<string>): Found {
  let found: string | null = null;
  for (const place of places) {
    for (const value of valuesAt(place, request)) {
      const carried = isAuthorization(place) ? schemeOf(value) : { scheme: '', text: value };
      if (!sole.has(placeKey(place)) && !isMine(carried)) continue;
      if (found !== null) return SEVERAL;
      found = carried.text;
    }
  }
  return found;
}

function isAuthorization({ kind, name }: CredentialPlace): boolean {
  return kind === 'header' && name === 'authorization';
}

/** RFC 9110 11.4: `scheme SP credentials`; without a space there is no scheme. */
function schemeOf(value: string): Carried {
  const space = value.indexOf(' ');
  if (space === -1) return { scheme: '', text: value };
  return { scheme: value.slice(0, space).toLowerCase(), text: value.slice(space).trimStart() };
}
