// What a listener speaks TLS with: which certificate answers a ClientHello, and the contexts of OpenSSL for it, made
// when they are asked for. A ticket is worth nothing once anything has changed that a whole handshake would look at.

import { constants, createHash, hkdfSync, X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { ListenerCertificate, ListenerTls } from '../config/types.ts';
import type { AlertName } from '../protocol/tls/alerts.ts';
import type { ClientHello } from '../protocol/tls/client-hello.ts';
import { nextUpdateOf } from '../protocol/tls/validity.ts';
import { ClientAuthorities } from './client-authorities.ts';
import type { TicketSecrets } from './ticket-secrets.ts';

/** RFC 7301 6. Browsers that are offered h2 try WebSockets over it (RFC 8441), which is not spoken here. */
const HTTP_1_1 = 'http/1.1';
const HTTP_1_1_LIST = Buffer.from(`\x08${HTTP_1_1}`, 'latin1');
const TICKET_KEY_BYTES = 48;
const SESSION_ID_BYTES = 32;
/** How long a client may resume: OpenSSL's own default. */
const SESSION_SECONDS = 7_200;
/** Where client certificates are judged, so long at most: each use of a ticket of TLSv1.3 brings a new one. */
const JUDGED_FOR_MS = 3_600_000;

/** How one client is answered. */
export interface TlsTerms {
  readonly context: SecureContext;
  readonly clientAuth: ListenerTls['client_auth'];
  /** Null where no client certificate is asked for. */
  readonly authorities: ClientAuthorities | null;
  /** What ALPN answers, in the form of RFC 7301 3.1; null without ALPN. */
  readonly alpn: Buffer | null;
  /** Milliseconds since 1970: client certificates are judged by it. */
  readonly wallNow: () => number;
}

interface ServerTlsOptions {
  readonly config: ListenerTls;
  /** For `tickets: on`. */
  readonly secrets: TicketSecrets;
  /** Milliseconds since 1970. */
  readonly wallNow: () => number;
}

export class ServerTls {
  readonly config: ListenerTls;
  private readonly secrets: TicketSecrets;
  private readonly wallNow: () => number;
  /** Indexes into the certificates: by name, and by what follows the `*` of one. The first of two has it. */
  private readonly exact = new Map<string, number>();
  private readonly wildcards = new Map<string, number>();
  /** All that a handshake is judged by, except the time. */
  private readonly judgedBy: Buffer;
  private readonly authorities: ClientAuthorities | null;
  /** When an authority or a revocation list begins or ends to hold, in order. */
  private readonly boundaries: readonly number[];
  /** One for each certificate at most, for the secret and the time that it was made with. */
  private contexts: (SecureContext | undefined)[] = [];
  private madeWith: { readonly secret: Buffer; readonly period: string } | null = null;

  constructor({ config, secrets, wallNow }: ServerTlsOptions) {
    this.config = config;
    this.secrets = secrets;
    this.wallNow = wallNow;
    for (const [index, { names }] of config.certificates.entries()) {
      for (const name of names) {
        const [map, key] = name.startsWith('*.') ? [this.wildcards, name.slice(1)] : [this.exact, name];
        if (!map.has(key)) map.set(key, index);
      }
    }
    this.judgedBy = judgedBy(config);
    const { client_auth, client_ca } = config;
    this.authorities = client_auth === 'none' || client_ca === null ? null : new ClientAuthorities(client_ca);
    this.boundaries = boundariesOf(config);
  }

  /** How `hello` is answered, or the alert that refuses it. */
  answer(hello: ClientHello): TlsTerms | AlertName {
    const index = this.certificateFor(hello);
    if (index === null) return 'unrecognized_name';
    const { protocols } = hello;
    if (protocols !== null && !protocols.includes(HTTP_1_1)) return 'no_application_protocol';
    return {
      context: this.contextOf(index),
      clientAuth: this.config.client_auth,
      authorities: this.authorities,
      alpn: protocols === null ? null : HTTP_1_1_LIST,
      wallNow: this.wallNow,
    };
  }

  private certificateFor({ serverName, isNameUnfit }: ClientHello): number | null {
    if (isNameUnfit) return null;
    if (serverName === null) return 0;
    const dot = serverName.indexOf('.');
    // RFC 9525 6.3: the star stands for one whole label.
    const found = this.exact.get(serverName) ?? (dot > 0 ? this.wildcards.get(serverName.slice(dot)) : undefined);
    return found ?? (this.config.unknown_name === 'first' ? 0 : null);
  }

  private contextOf(index: number): SecureContext {
    const { tickets } = this.config;
    const now = this.wallNow();
    const secret = typeof tickets === 'object' ? tickets.key : this.secrets.current(now);
    const period = this.periodOf(now);
    if (this.madeWith?.secret !== secret || this.madeWith.period !== period) {
      this.madeWith = { secret, period };
      this.contexts = [];
    }
    const known = this.contexts[index];
    if (known !== undefined) return known;
    const certificate = this.config.certificates[index] as ListenerCertificate; // the index of one of them
    const made = makeContext(this.config, certificate, (what, size) =>
      Buffer.from(hkdfSync('sha256', secret, this.judgedBy, `framegate ${what} ${period}`, size)),
    );
    this.contexts[index] = made;
    return made;
  }

  /**
   * Sessions of another one are not resumed. The hours are for what nobody here knows: when an authority ends that
   * only clients have, between their certificates and ours.
   */
  private periodOf(now: number): string {
    if (this.config.client_auth === 'none') return '';
    return `${this.boundaries.filter((time) => time <= now).length} ${Math.floor(now / JUDGED_FOR_MS)}`;
  }
}

type Derive = (what: string, size: number) => Buffer;

function makeContext(config: ListenerTls, certificate: ListenerCertificate, derive: Derive): SecureContext {
  const { client_auth, client_ca, client_crl, ciphers, min_version, tickets } = config;
  const { cert, key, passphrase } = certificate;
  // RFC 5077 4: a client makes a session resumable; renegotiation would make us work without end.
  const noTickets = tickets === 'off' ? constants.SSL_OP_NO_TICKET : 0;
  return createSecureContext({
    cert,
    key,
    ...(passphrase === null ? {} : { passphrase }),
    minVersion: min_version,
    ...(ciphers === null ? {} : { ciphers }),
    // Without clients to judge, the system's authorities need not be there.
    ca: client_auth === 'none' || client_ca === null ? [] : client_ca,
    ...(client_auth === 'none' || client_crl === null ? {} : { crl: [...client_crl] }),
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_CIPHER_SERVER_PREFERENCE | noTickets,
    ticketKeys: derive('ticket', TICKET_KEY_BYTES),
    sessionIdContext: derive('session', SESSION_ID_BYTES / 2).toString('hex'),
    sessionTimeout: SESSION_SECONDS,
  });
}

/** OpenSSL resumes with a cipher of then, also with one that is not taken any more. */
function judgedBy({ client_auth, client_ca, client_crl, ciphers }: ListenerTls): Buffer {
  const hash = createHash('sha256');
  for (const part of [Buffer.from(client_auth), Buffer.from(ciphers ?? ''), client_ca, ...(client_crl ?? [])])
    hash.update(`${part?.length ?? -1} `).update(part ?? '');
  return hash.digest();
}

const PEM = /-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END \1-----/g;

/** OpenSSL looks at no time when a session is resumed. */
function boundariesOf({ client_auth, client_ca, client_crl }: ListenerTls): readonly number[] {
  if (client_auth === 'none') return [];
  const times: number[] = [];
  for (const [block = '', kind = ''] of client_ca?.toString('latin1').matchAll(PEM) ?? []) {
    if (!kind.endsWith('CERTIFICATE')) continue;
    const { validFrom, validTo } = new X509Certificate(block);
    times.push(Date.parse(validFrom), Date.parse(validTo));
  }
  for (const crl of client_crl ?? []) {
    for (const [, , base64 = ''] of crl.toString('latin1').matchAll(PEM)) {
      const time = nextUpdateOf(Buffer.from(base64, 'base64'));
      if (time !== null) times.push(time);
    }
  }
  return times.filter((time) => !Number.isNaN(time));
}
