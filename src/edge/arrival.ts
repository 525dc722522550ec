// Where connections come in, and who came, when: made once at accept and handed along with the connection. Its head
// adds what a trusted peer may say: who the client is, and a request id. Nothing is counted or judged here.

import type { ListenerConfig } from '../config/types.ts';
import type { TlsFacts } from '../net/secure-accept.ts';
import type { RequestHead } from '../protocol/http-head.ts';
import { firstValueOf } from '../protocol/lists.ts';
import { mergeLeadingSlashes } from '../protocol/path.ts';
import type { Endpoint, ProxyHeader } from '../protocol/proxy-header/proxy-header.ts';
import { type ClientRules, NOBODY_BELIEVED } from './client-rules.ts';
import { ownText } from './own-text.ts';
import type { Snapshot } from './snapshot.ts';

/** A trusted peer's X-Request-ID is kept if it is visible ASCII and not longer. */
const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

/**
 * A listener for as long as it is bound: the one thing about it that a connection may hold on to, since a reload gives
 * it other settings and another name.
 */
export class LiveListener {
  /** Those in force now; replaced by a reload. */
  config: ListenerConfig;
  /** 0 for a unix socket. */
  readonly port: number;
  /** It accepts no more: who came in by it is served to the end of what is under way. */
  isGone = false;
  /** Those of the last snapshot that had some for this listener. */
  private rules = NOBODY_BELIEVED;

  constructor(config: ListenerConfig, port: number) {
    this.config = config;
    this.port = port;
  }

  /** Whom it believes. One that the config has no longer keeps to what it said last. */
  rulesIn({ clientRules }: Pick<Snapshot, 'clientRules'>): ClientRules {
    this.rules = clientRules.get(this.config.name) ?? this.rules;
    return this.rules;
  }

  /** A head as this listener takes it, before anything is judged. */
  read(head: RequestHead): RequestHead {
    if (this.config.paths.leading_slashes === 'refuse') return head;
    const target = mergeLeadingSlashes(head.target);
    return target === head.target ? head : { ...head, target };
  }
}

interface ArrivalOptions {
  readonly listener: LiveListener;
  /** The socket's address; '' for one on a unix socket. */
  readonly peer: string;
  /** 0 for one on a unix socket. */
  readonly peerPort: number;
  readonly at: number;
  readonly requestId: string;
  /** The present one of the listener, unless given. */
  readonly listenerName?: string;
}

export class Arrival {
  readonly listener: LiveListener;
  /** Of the listener at accept: what counts a connection in counts it out, though a reload gives it another name. */
  readonly listenerName: string;
  /** The socket's address, or the source that a PROXY header names. */
  peer: string;
  peerPort: number;
  /** Where a PROXY header says that it came in; null: where the socket did. */
  destination: Endpoint | null = null;
  /** When it was accepted. */
  readonly at: number;
  /** The name that the client asked for by TLS; null without one. */
  serverName: string | null = null;
  /** Null when the client does not speak TLS to us. */
  tls: TlsFacts | null = null;
  /** What a PROXY header said of the client's TLS; null when none said anything. */
  proxySecure: boolean | null = null;
  /** The peer until a complete head says more. */
  client: string;
  peerTrusted = false;
  /** The scheme that the client used; null where the X-Forwarded-Proto of a trusted peer says it. */
  proto: string | null = 'http';
  /** The field that was to name the client, in lower case. */
  source = 'x-forwarded-for';
  /** Our own, or the one that a trusted peer brought. */
  requestId: string;

  constructor(options: ArrivalOptions) {
    this.listener = options.listener;
    this.listenerName = options.listenerName ?? options.listener.config.name;
    this.peer = options.peer;
    this.peerPort = options.peerPort;
    this.client = options.peer;
    this.at = options.at;
    this.requestId = options.requestId;
  }

  /** The next request on the same connection, whose first byte came at `at`: what the head before said is gone. */
  again(at: number, requestId: string): Arrival {
    const { listener, peer, peerPort } = this;
    const next = new Arrival({ listener, peer, peerPort, at, requestId, listenerName: this.listenerName });
    next.destination = this.destination;
    next.serverName = this.serverName;
    next.tls = this.tls;
    next.proxySecure = this.proxySecure;
    return next;
  }

  /** Whether the client speaks TLS to us. */
  get secure(): boolean {
    return this.tls !== null;
  }

  /** A PROXY header came, of a trusted peer. */
  takeSource({ source, destination, secure }: ProxyHeader): void {
    this.proxySecure = secure;
    if (source === null) return;
    this.peer = source.address;
    this.peerPort = source.port;
    this.destination = destination;
    this.client = source.address;
  }

  /** A head came, or as much of it as there will be. */
  takeHead({ fields }: Pick<RequestHead, 'fields'>, rules: ClientRules): void {
    this.peerTrusted = rules.trusts(this.peer);
    const requestId = firstValueOf(fields, 'x-request-id');
    if (this.peerTrusted && requestId !== undefined && REQUEST_ID.test(requestId)) this.requestId = ownText(requestId);
  }

  /** The scheme that the client used by what is known, and by this head; null where a trusted peer says it there. */
  protoOf({ fields }: Pick<RequestHead, 'fields'>, rules: ClientRules): string | null {
    const { secure, proxySecure: proxied, peer } = this;
    return rules.protoOf({ secure, proxied, peerTrusted: rules.trusts(peer) }, fields);
  }

  /** A complete head came: who sent it. */
  takeClient({ fields }: Pick<RequestHead, 'fields'>, rules: ClientRules): void {
    this.client = rules.clientOf(this.peer, fields);
    this.proto = this.protoOf({ fields }, rules);
    this.source = rules.source;
  }
}
