// Where in a request a credential can stand. What is read from these places, and how a request looks without them.

import { trimOws } from './charset.ts';
import { cookieValues, withoutCookie } from './cookies.ts';
import { parameterOf, parametersOf } from './form-query.ts';
import type { HeadField } from './http-head.ts';
import { valuesOf } from './lists.ts';
import type { JudgedRequest } from './request-place.ts';

/**
 * `header`: a field, its name in lower case. `subprotocol`: the entry of the offer behind that entry.
 * `subprotocol_prefix`: the rest of an entry that begins so.
 */
export interface CredentialPlace {
  readonly kind: 'header' | 'query' | 'cookie' | 'subprotocol' | 'subprotocol_prefix';
  readonly name: string;
}

type Carried = Pick<JudgedRequest, 'head' | 'query' | 'protocols'>;

/** More of one place than this are not looked at: two are too many already. */
const FOUND_MAX = 2;

const OFFER = 'sec-websocket-protocol';

/** What stands there, at most two; as it was sent, of a query decoded. An empty one counts as none. */
export function valuesAt(place: CredentialPlace, request: Carried): readonly string[] {
  const values = rawValuesAt(place, request).filter((value) => value !== '');
  // Empty ones in front hide no second one.
  return values.length > FOUND_MAX ? values.slice(0, FOUND_MAX) : values;
}

/** The same of two methods: what one of them reads, the other one does. */
export function placeKey({ kind, name }: CredentialPlace): string {
  return `${kind}:${name}`;
}

/**
 * The request without what stands at `places`. The same object when nothing does. A Cookie field that holds nothing
 * else goes; entries of the offer go with their markers.
 */
export function withoutPlaces<R extends JudgedRequest>(request: R, places: readonly CredentialPlace[]): R {
  if (places.length === 0) return request;
  const { head } = request;
  const query = strippedQuery(request.query, places);
  const protocols = plainProtocols(request.protocols, places);
  const offered = protocols === request.protocols ? head.fields : withOffer(head.fields, protocols);
  const fields = offered.flatMap((field) => strippedField(field, places));
  const isSame =
    query === request.query &&
    protocols.length === request.protocols.length &&
    fields.length === head.fields.length &&
    fields.every((field, index) => field === head.fields[index]);
  if (isSame) return request;
  const target = query === request.query ? head.target : head.target.replace(/\?.*$/s, query);
  return { ...request, head: { ...head, target, fields }, query, protocols };
}

/** The entries of an offer that are neither credentials nor their markers. */
export function plainProtocols(offered: readonly string[], places: readonly CredentialPlace[]): readonly string[] {
  if (places.length === 0) return offered;
  const { markers, isSecret } = entriesOf(offered, places);
  const plain = offered.filter((entry, index) => !markers.has(entry) && !isSecret(entry, index));
  return plain.length === offered.length ? offered : plain;
}

/** Those that may stand in an answer: markers are no secrets. */
export function nameableProtocols(offered: readonly string[], places: readonly CredentialPlace[]): readonly string[] {
  if (places.length === 0) return offered;
  const { isSecret } = entriesOf(offered, places);
  return offered.filter((entry, index) => !isSecret(entry, index));
}

/** The first marker in an offer; null when there is none. */
export function markerOf(offered: readonly string[], places: readonly CredentialPlace[]): string | null {
  const { markers } = entriesOf(offered, places);
  // Behind another marker it is what that one announces.
  return nameableProtocols(offered, places).find((entry) => markers.has(entry)) ?? null;
}

interface OfferEntries {
  readonly markers: ReadonlySet<string>;
  readonly isSecret: (entry: string, index: number) => boolean;
}

function entriesOf(offered: readonly string[], places: readonly CredentialPlace[]): OfferEntries {
  const named = (wanted: CredentialPlace['kind']) =>
    places.flatMap(({ kind, name }) => (kind === wanted ? [name] : []));
  const markers = new Set(named('subprotocol'));
  const prefixes = named('subprotocol_prefix');
  const isBehindMarker = (index: number) => index > 0 && markers.has(offered[index - 1] ?? '');
  const isSecret = (entry: string, index: number) =>
    isBehindMarker(index) || prefixes.some((prefix) => entry.startsWith(prefix));
  return { markers, isSecret };
}

function rawValuesAt({ kind, name }: CredentialPlace, { head, query, protocols }: Carried): readonly string[] {
  switch (kind) {
    case 'header':
      return fieldValues(head.fields, name);
    case 'cookie':
      return cookieValues(valuesOf(head.fields, 'cookie'), name, Number.POSITIVE_INFINITY);
    case 'query':
      return parametersOf(query)
        .filter((one) => one.name === bytesOf(name))
        .map(({ value }) => value);
    case 'subprotocol':
      return protocols.flatMap((entry, index) => (entry === name ? [protocols[index + 1] ?? ''] : []));
    case 'subprotocol_prefix':
      return protocols.flatMap((entry) => (entry.startsWith(name) ? [entry.slice(name.length)] : []));
  }
}

function fieldValues(fields: readonly HeadField[], lower: string): readonly string[] {
  return fields.filter((field) => field.lower === lower).map(({ value }) => trimOws(value));
}

function strippedField(field: HeadField, places: readonly CredentialPlace[]): readonly HeadField[] {
  if (places.some(({ kind, name }) => kind === 'header' && name === field.lower)) return [];
  if (field.lower !== 'cookie') return [field];
  let { value } = field;
  for (const { kind, name } of places) if (kind === 'cookie') value = withoutCookie(value, name);
  if (value === field.value) return [field];
  return value === '' ? [] : [{ ...field, value }];
}

/** With one field for all of the offer, which others may read as it stands there. */
function withOffer(fields: readonly HeadField[], protocols: readonly string[]): readonly HeadField[] {
  const at = fields.findIndex(({ lower }) => lower === OFFER);
  return fields.flatMap((field, index) => {
    if (field.lower !== OFFER) return [field];
    return index === at && protocols.length > 0 ? [{ ...field, value: protocols.join(', ') }] : [];
  });
}

/** Pairs that are not taken out stay byte for byte. */
function strippedQuery(query: string, places: readonly CredentialPlace[]): string {
  const names = new Set(places.flatMap(({ kind, name }) => (kind === 'query' ? [bytesOf(name)] : [])));
  if (names.size === 0 || query === '') return query;
  const pairs = query.slice(1).split('&');
  const kept = pairs.filter((pair) => !names.has(parameterOf(pair).name));
  if (kept.length === pairs.length) return query;
  return kept.length === 0 ? '' : `?${kept.join('&')}`;
}

/** As names come out of queries: one latin1 character for each byte of UTF-8. */
function bytesOf(name: string): string {
  return Buffer.from(name).toString('latin1');
}
