// What a listener serves that no config holds: certificates that are got while the process runs, and the answers to
// those who check on behalf of an authority that a name is ours.

import type { AcmeCertificate, ListenerCertificate } from '../config/types.ts';

/** Both PEM. */
export interface ChallengeCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface Renewal {
  readonly name: string;
  readonly at: number;
}

export interface LiveCertificates {
  /** The one to serve now; null before the first was got. */
  current(one: AcmeCertificate): ListenerCertificate | null;
  /** What proves `serverName` by TLS (RFC 8737); null unless an order waits for it. */
  challengeFor(serverName: string): ChallengeCertificate | null;
  /** What proves a name by HTTP (RFC 8555 8.3); null unless an order waits for it. */
  answerFor(token: string): string | null;
  /** When the next order of each is due, in milliseconds since 1970. */
  renewals(): Iterable<Renewal>;
}

export const NO_LIVE_CERTIFICATES: LiveCertificates = {
  current: () => null,
  challengeFor: () => null,
  answerFor: () => null,
  renewals: () => [],
};
