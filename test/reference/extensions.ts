// A second opinion on permessage-deflate (RFC 7692 7.1): does an answer fit one of the offers? Works on text alone.

import { elementsOf, isCommasAlone, isExtension } from './grammar.ts';

const LISTED_MAX = 32;

/** The elements of all lines, or null when one is malformed or there are too many. */
export function referenceExtensions(values: readonly string[]): string[] | null {
  const elements = elementsOf(values);
  if (isCommasAlone(values)) return null;
  return elements.length <= LISTED_MAX && elements.every(isExtension) ? elements : null;
}

/** Whether a 101 with these lines is in order after these offers, all of them permessage-deflate. */
export function referenceAnswer(values: readonly string[], offers: readonly string[]): boolean {
  const answers = referenceExtensions(values);
  if (answers?.length === 0) return true;
  if (answers?.length !== 1) return false;
  const [answer = ''] = answers;
  const names = paramsOf(answer).map(([name]) => name);
  if (nameOf(answer) !== 'permessage-deflate' || new Set(names).size < names.length) return false;
  if (!paramsOf(answer).every(([name, value]) => isAgreeable(name, value))) return false;
  const agreed = new Map(paramsOf(answer));
  return offers.some((offer) => {
    const offered = new Map(paramsOf(offer));
    // What is left out is for the client to judge; what is said must not go beyond the offer.
    const serverOffered = offered.get('server_max_window_bits');
    if (serverOffered && Number(agreed.get('server_max_window_bits') ?? 0) > Number(serverOffered)) return false;
    const clientAgreed = agreed.get('client_max_window_bits');
    if (!clientAgreed) return true;
    if (!offered.has('client_max_window_bits')) return false;
    const clientOffered = offered.get('client_max_window_bits');
    return !clientOffered || Number(clientAgreed) <= Number(clientOffered);
  });
}

/** Of permessage-deflate: known parameters, each once, with values as they have to be. */
export function isLegalOffer(offer: string): boolean {
  const params = paramsOf(offer);
  if (new Set(params.map(([name]) => name)).size < params.length) return false;
  return params.every(
    ([name, value]) => isAgreeable(name, value) || (name === 'client_max_window_bits' && value === null),
  );
}

function isAgreeable(name: string, value: string | null): boolean {
  if (/^(server|client)_no_context_takeover$/.test(name)) return value === null;
  if (/^(server|client)_max_window_bits$/.test(name)) return /^(8|9|10|11|12|13|14|15)$/.test(value ?? '');
  return false;
}

function nameOf(extension: string): string {
  return extension.split(/[\t ;]/)[0] ?? '';
}

function paramsOf(extension: string): [string, string | null][] {
  return extension
    .split(';')
    .slice(1)
    .map((param) => {
      const [name = '', value] = param.replace(/[\t ]+/g, '').split(/=(.*)/s);
      return [name, value === undefined ? null : value.replace(/["\\]/g, '')];
    });
}
