// Credentials that browsers send along by themselves, whoever's page asks (RFC 6455 10.2): cookies, Basic, and client
// certificates. For a handshake with one of them only Origin tells whether its page may have it.

import { type CredentialPlace, valuesAt } from '../../protocol/credential-places.ts';
import type { AuthAsk, AuthMethod } from './method.ts';

type Brought = Pick<AuthAsk, 'request'> & { readonly arrival: Pick<AuthAsk['arrival'], 'tls'> };

/** Whether it brings one that one of `methods` reads, whatever that will say of it. */
export function isAmbient(methods: readonly AuthMethod[], { request, arrival }: Brought): boolean {
  const hasCertificate = (arrival.tls?.certificate ?? null) !== null;
  return methods.some(
    ({ config, places }) =>
      (config.kind === 'certificate' && hasCertificate) || places.some((place) => isSentAlong(place, request)),
  );
}

function isSentAlong(place: CredentialPlace, request: Brought['request']): boolean {
  const { kind, name } = place;
  if (kind === 'cookie' || (kind === 'header' && name === 'cookie')) return valuesAt(place, request).length > 0;
  const isAuthorization = kind === 'header' && name === 'authorization';
  return isAuthorization && valuesAt(place, request).some((value) => /^basic(?: |$)/i.test(value));
}
