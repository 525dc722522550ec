// Finds the credential of a method in a request: looks at each of its places, and takes what is of its kind. Two are
// one too many.

import { type CredentialPlace, placeKey, valuesAt } from '../../protocol/credential-places.ts';
import { type AuthAsk, type Found, SEVERAL } from './method.ts';

/** One text at `place`. Of `Authorization` the scheme in lower case; '' for a bare one and for other places. */
export interface Carried {
  readonly place: CredentialPlace;
  readonly scheme: string;
  readonly text: string;
}

const BASE64URL = /^[0-9A-Za-z_-]+$/;

interface Finder {
  readonly places: readonly CredentialPlace[];
  /** Of `Authorization`, in lower case: those that its credentials come with. Unless given, any. */
  readonly schemes?: readonly string[];
  /** What is meant by what stands there, where clients encode it. */
  readonly textOf?: ((carried: Carried) => string) | undefined;
  /** Whether it is of this method's kind, where others read the same place. */
  isMine(carried: Carried): boolean;
}

/** What is found is without its scheme, unless that is none of `schemes`: then nothing good looks like it. */
export function findCredential(finder: Finder, { request }: AuthAsk, sole: ReadonlySet<string>): Found {
  const { places, schemes, isMine } = finder;
  let found: string | null = null;
  for (const place of places) {
    const values = valuesAt(place, request);
    for (const value of values) {
      const carried = carriedAt(place, value, finder);
      if (!sole.has(placeKey(place)) && !isMine(carried)) continue;
      // One place twice is several, whatever kind the other one is of.
      if (found !== null || values.length > 1) return SEVERAL;
      found = schemes?.includes(carried.scheme) === false ? value : carried.text;
    }
  }
  return found;
}

/** For credentials that come with one scheme only: what comes with another one, or bare, is none. */
export function textBehind(scheme: string): (carried: Carried) => string {
  return (carried) => (carried.scheme === scheme ? carried.text : '');
}

/** Of the key `decode`: how clients write what they bring in entries that begin with a prefix. */
export function decoderOf(decode: 'base64url' | 'off'): ((carried: Carried) => string) | undefined {
  return decode === 'base64url' ? decodedOf : undefined;
}

function carriedAt(place: CredentialPlace, value: string, { textOf }: Finder): Carried {
  const raw = { place, ...(isAuthorization(place) ? schemeOf(value) : { scheme: '', text: value }) };
  return textOf === undefined ? raw : { ...raw, text: textOf(raw) };
}

function isAuthorization({ kind, name }: CredentialPlace): boolean {
  return kind === 'header' && name === 'authorization';
}

/** RFC 9110 11.4: `scheme SP credentials`; without a space there is no scheme. */
function schemeOf(value: string): Pick<Carried, 'scheme' | 'text'> {
  const space = value.indexOf(' ');
  if (space === -1) return { scheme: '', text: value };
  return { scheme: value.slice(0, space).toLowerCase(), text: value.slice(space).trimStart() };
}

/** What clients encode, where one spelling is taken; what is none of it is no credential. */
function decodedOf({ place, text }: Carried): string {
  if (place.kind !== 'subprotocol_prefix') return text;
  // Node takes both alphabets, padding, junk and unused bits: a form first, and then the way back.
  const bytes = BASE64URL.test(text) ? Buffer.from(text, 'base64url') : Buffer.alloc(0);
  return bytes.toString('base64url') === text ? bytes.toString('latin1') : '';
}
