// What a listener speaks TLS with: which certificate answers a ClientHello, and the contexts of OpenSSL for it, made
// when they are asked for. A ticket is worth nothing once anything has changed that a whole handshake would look at.

import { constants, createHash, hkdfSync, X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { AcmeCertificate, ListenerCertificate, ListenerTls } from '../config/types.ts';
import type { AlertName } from '../protocol/tls/alerts.ts';
import { inPlaces } from '../protocol/tls/certificate-order.ts';
import type { ClientHello } from '../protocol/tls/client-hello.ts';
import { nextUpdateOf } from '../protocol/tls/validity.ts';
import { ClientAuthorities } from './client-authorities.ts';
import type { ChallengeCertificate, LiveCertificates } from './live-certificates.ts';
import type { TicketSecrets } from './ticket-secrets.ts';

/** RFC 7301 6. Browsers that are offered h2 try WebSockets over it (RFC 8441), which is not spoken here. */
const HTTP_1_1 = 'http/1.1';
const HTTP_1_1_LIST = Buffer.from(`\x08${HTTP_1_1}`, 'latin1');
/** RFC 8737 6.2: spoken with who asks for nothing else, while an order waits for the name. */
const ACME_TLS = 'acme-tls/1';
const ACME_TLS_LIST = Buffer.from(`\x0a${ACME_TLS}`, 'latin1');
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
  /** It proves a name, and nothing is spoken over it. */
  readonly isChallenge: boolean;
}

type Slot = ListenerCertificate | AcmeCertificate;

interface ServerTlsOptions {
  readonly config: ListenerTls;
  /** For `tickets: on`. */
  readonly secrets: TicketSecrets;
  /** Milliseconds since 1970. */
  readonly wallNow: () => number;
  readonly live: LiveCertificates;
}

interface Made {
  readonly certificate: ListenerCertificate;
  readonly context: SecureContext;
}

export class ServerTls {
  readonly config: ListenerTls;
  private readonly live: LiveCertificates;
  /** In the order of the config. */
  private readonly slots: readonly Slot[];
  private readonly challenges = new WeakMap<ChallengeCertificate, SecureContext>();
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
  private contexts: (Made | undefined)[] = [];
  private madeWith: { readonly secret: Buffer; readonly period: string } | null = null;

  constructor({ config, secrets, wallNow, live }: ServerTlsOptions) {
    this.config = config;
    this.secrets = secrets;
    this.wallNow = wallNow;
    this.live = live;
    this.slots = inPlaces(config.certificates, config.acme);
    for (const [index, slot] of this.slots.entries()) {
      for (const name of namesOf(slot)) {
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
    const challenge = this.challengeTerms(hello);
    if (challenge !== null) return challenge;
    const index = this.certificateFor(hello);
    if (index === null) return this.hasCertificate ? 'unrecognized_name' : 'internal_error';
    const { protocols } = hello;
    if (protocols !== null && !protocols.includes(HTTP_1_1)) return 'no_application_protocol';
    return {
      context: this.contextOf(index),
      clientAuth: this.config.client_auth,
      authorities: this.authorities,
      alpn: protocols === null ? null : HTTP_1_1_LIST,
      wallNow: this.wallNow,
      isChallenge: false,
    };
  }

  /** Whether anybody can be answered. */
  get hasCertificate(): boolean {
    return this.slots.some((slot) => this.inForce(slot) !== null);
  }

  /** RFC 8737 3: the one protocol that it offers, and the name that is to be proved. */
  private challengeTerms({ protocols, serverName }: ClientHello): TlsTerms | null {
    const isAsked = protocols?.length === 1 && protocols[0] === ACME_TLS && serverName !== null;
    const challenge = isAsked ? this.live.challengeFor(serverName) : null;
    if (challenge === null) return null;
    const context = this.challenges.get(challenge) ?? challengeContext(challenge);
    this.challenges.set(challenge, context);
    const { wallNow } = this;
    return { context, clientAuth: 'none', authorities: null, alpn: ACME_TLS_LIST, wallNow, isChallenge: true };
  }

  /** The index of one that is there. */
  private certificateFor({ serverName, isNameUnfit }: ClientHello): number | null {
    if (isNameUnfit) return null;
    if (serverName === null) return this.first(() => true);
    const dot = serverName.indexOf('.');
    // RFC 9525 6.3: the star stands for one whole label.
    const wildcard = dot > 0 ? serverName.slice(dot) : '';
    const found = this.exact.get(serverName) ?? this.wildcards.get(wildcard);
    const slot = found === undefined ? undefined : this.slots[found];
    if (found !== undefined && slot !== undefined && this.inForce(slot) !== null) return found;
    // One that is not got yet: another one for the same name, and then as if it were none.
    const other =
      found === undefined
        ? null
        : this.first((one) => namesOf(one).some((name) => name === serverName || name === `*${wildcard}`));
    return other ?? (this.config.unknown_name === 'first' ? this.first(() => true) : null);
  }

  private first(fits: (slot: Slot) => boolean): number | null {
    const index = this.slots.findIndex((slot) => fits(slot) && this.inForce(slot) !== null);
    return index === -1 ? null : index;
  }

  private inForce(slot: Slot): ListenerCertificate | null {
    return 'position' in slot ? this.live.current(slot) : slot;
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
    // The index of one that is there.
    const certificate = this.inForce(this.slots[index] as Slot) as ListenerCertificate;
    const known = this.contexts[index];
    if (known?.certificate === certificate) return known.context;
    const context = makeContext(this.config, certificate, (what, size) =>
      Buffer.from(hkdfSync('sha256', secret, this.judgedBy, `framegate ${what} ${period}`, size)),
    );
    this.contexts[index] = { certificate, context };
    return context;
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

function namesOf(slot: Slot): readonly string[] {
  return 'position' in slot ? slot.domains : slot.names;
}

/** RFC 8737 does not ask for more than a handshake of TLSv1.2 or later. */
function challengeContext({ cert, key }: ChallengeCertificate): SecureContext {
  const secureOptions = constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_TICKET;
  return createSecureContext({ cert, key, minVersion: 'TLSv1.2', ca: [], secureOptions });
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
