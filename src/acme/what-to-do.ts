// What somebody can do about a certificate that could not be got, in a sentence or two for the log.

import type { AcmeCertificate } from '../config/types.ts';
import { unreachable } from '../unreachable.ts';
import type { AcmeError } from './acme-error.ts';

/** As `net/dial` passes on what OpenSSL says of a certificate's times. */
const BY_CLOCK = /CERT_(?:HAS_EXPIRED|NOT_YET_VALID)/;

interface Where {
  readonly settings: AcmeCertificate;
  readonly folder: string;
  readonly wallNow: number;
}

export function whatToDo({ fault, message }: AcmeError, { settings, folder, wallNow }: Where): string {
  const { directory, challenge } = settings;
  switch (fault) {
    case 'unreachable':
      return BY_CLOCK.test(message)
        ? `set the clock of this machine, which says ${new Date(wallNow).toISOString()}, or look at acme.tls.ca`
        : `see that ${directory.authority} can be reached from here (name, way out, acme.tls.ca); it may be down`;
    case 'rate_limited':
      return 'wait: it is tried again when the authority allows it; try out with directory: letsencrypt-staging';
    case 'challenge':
      return challenge === 'http-01'
        ? 'see that each domain leads here, and its port 80 to a listener without tls'
        : 'see that each domain leads here, and its port 443 to this listener with TLS as it comes';
    case 'refused':
      return 'change what the authority objects to: domains, their CAA records, email, eab, challenge';
    case 'storage':
      return `see that ${folder} is there, belongs to the user that framegate runs as, and has room`;
    case 'bad_certificate':
      return 'ask the authority: what it gave is not what was ordered';
    case 'late':
    case 'aborted':
      return 'nothing: it is tried again';
    case 'internal':
      return 'install acme-client 5.4, or report this';
    default:
      return unreachable(fault);
  }
}
