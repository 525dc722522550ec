// Whether a backend's certificate is for the name that was configured. It trusts Node with the comparison, and takes
// from it what RFC 9525 does: a common name is a text for people, and identifies nobody.

import { checkServerIdentity, type PeerCertificate } from 'node:tls';

/** Undefined when it is; else an error whose `code` says why, for the log. */
export function certificateFault(name: string, certificate: PeerCertificate): Error | undefined {
  // RFC 9525 6.3: Node looks at the common name when no DNS name is listed, so it gets none to look at.
  const listed = { ...certificate, subject: { ...certificate.subject, CN: '' } };
  const fault = checkServerIdentity(name, listed);
  if (fault === undefined || certificate.subjectaltname) return fault;
  return Object.assign(new Error(fault.message), { code: 'certificate has no subjectAltName (RFC 9525)' });
}
