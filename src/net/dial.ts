// Opens the connection to a backend: look-up, TCP to each address in turn, TLS, all under one deadline.
// It knows nothing of HTTP, of targets or of retries, and leaves no socket behind when it fails or is aborted.

import assert from 'node:assert/strict';
import { connect as connectNet, type NetConnectOpts, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import type { Endpoint, TlsConfig } from '../config/types.ts';
import type { Clock } from '../limits/clock.ts';
import { Alarm, type TimerWheel } from '../limits/timer-wheel.ts';
import { unbracketed } from '../protocol/addresses/host-port.ts';
import { familyOf } from '../protocol/addresses/ip-address.ts';
import type { AbortLike } from './abort.ts';
import { BackendContexts } from './backend-contexts.ts';
import type { Resumption } from './backend-sessions.ts';
import { type Carrier, type ConnectTarget, KEEP_ALIVE_AFTER_MS } from './carrier.ts';
import { certificateFault } from './certificate-name.ts';
import { codeOf, DialError, failureOf, timedOut } from './dial-error.ts';
import type { Resolver } from './resolve.ts';
import { silentReader, type Transport } from './transport.ts';

export interface DialOptions {
  /** Anything but the built-in echo backend, which has no socket. */
  readonly endpoint: Exclude<Endpoint, { kind: 'echo' }>;
  /** For secure endpoints; null stands for the system's roots, no client certificate and verification. */
  readonly tls: TlsConfig | null;
  /** The source address; addresses of the other family are then not tried. */
  readonly localAddress: string | null;
  /** The first bytes on the connection, before TLS; null for none. */
  readonly preamble: Buffer | null;
  /** For everything together; Infinity is no deadline. */
  readonly timeoutMs: number;
  readonly signal: AbortLike;
}

/** How sockets are made; tests put failing ones here. */
export interface SocketFactory {
  tcp(options: NetConnectOpts): Socket;
  tls(options: ConnectionOptions): TLSSocket;
}

interface DialerOptions {
  readonly resolver: Resolver;
  readonly wheel: TimerWheel;
  readonly clock: Clock;
  readonly carrier: Carrier;
  readonly sockets?: SocketFactory;
  /** Milliseconds since 1970, by which certificates end. */
  readonly wallClock?: () => number;
}

/** One connection attempt to one address. */
interface Attempt {
  readonly socket: Socket;
  /** TLS begins when TCP is done; then it is the TLS handshake that fails. Null for plain TCP and unix sockets. */
  readonly secure: SecureAttempt | null;
  /** TLS over `socket`, which gets its preamble first; null where TLS begins by itself, or there is none. */
  readonly beginTls: (() => SecureAttempt) | null;
  /** For messages: the address and the port, or the path. */
  readonly peer: string;
}

interface SecureAttempt {
  /** The same socket, or the one over it. */
  readonly socket: TLSSocket;
  readonly resumption: Resumption;
}

type TcpEndpoint = Extract<Endpoint, { kind: 'tcp' }>;

export class Dialer {
  private readonly resolver: Resolver;
  private readonly wheel: TimerWheel;
  private readonly clock: Clock;
  private readonly carrier: Carrier;
  /** Null: plain TCP goes through the carrier. */
  private readonly sockets: SocketFactory | null;
  private readonly contexts: BackendContexts;

  constructor(options: DialerOptions) {
    this.contexts = new BackendContexts(options.wallClock ?? Date.now);
    this.resolver = options.resolver;
    this.wheel = options.wheel;
    this.clock = options.clock;
    this.carrier = options.carrier;
    this.sockets = options.sockets ?? null;
  }

  /**
   * A connected transport, flowing: its reader must be set before the caller awaits anything else.
   * Rejects with DialError and nothing else.
   */
  async dial(options: DialOptions): Promise<Transport> {
    const { endpoint } = options;
    const deadline = this.clock.now() + options.timeoutMs;
    if (endpoint.kind === 'unix') {
      const open = () => ({
        socket: (this.sockets?.tcp ?? connectNet)({ path: endpoint.path, allowHalfOpen: true }),
        secure: null,
        beginTls: null,
        peer: endpoint.path,
      });
      return this.attempt(open, deadline, options);
    }
    const host = unbracketed(endpoint.host);
    const address = endpoint.address ?? (familyOf(host) === 0 ? null : host);
    // An address needs no look-up, nor the promises around one.
    if (address !== null) {
      return this.tryInTurn(sameFamily([address], options.localAddress, host), host, endpoint, deadline, options);
    }
    const found = await this.lookUp(host, this.resolver.resolve(host), deadline, options.signal);
    try {
      const addresses = sameFamily(found, options.localAddress, host);
      return await this.tryInTurn(addresses, host, endpoint, deadline, options);
    } catch (error) {
      const moved = await this.addressesSince(found, host, error, deadline, options);
      if (moved.length === 0) throw error;
      return this.tryInTurn(moved, host, endpoint, deadline, options);
    }
  }

  /** The backend may have moved since `found` was looked up: addresses that the name has now and had not. */
  private async addressesSince(
    found: readonly string[],
    host: string,
    error: unknown,
    deadline: number,
    options: DialOptions,
  ): Promise<readonly string[]> {
    const isTheirs =
      error instanceof DialError && (error.code === 'backend_unreachable' || error.code === 'backend_timeout');
    const renewed = isTheirs ? this.resolver.renew(host, found) : null;
    if (renewed === null) return [];
    try {
      const now = await this.lookUp(host, renewed, deadline, options.signal);
      const moved = now.filter((address) => !found.includes(address));
      return moved.length === 0 ? [] : sameFamily(moved, options.localAddress, host);
    } catch {
      // What was tried says more than that nothing else was found.
      return [];
    }
  }

  /** Each address gets an equal share of what is left, so that a silent first one cannot use it all up. */
  private async tryInTurn(
    addresses: readonly string[],
    host: string,
    endpoint: TcpEndpoint,
    deadline: number,
    options: DialOptions,
  ): Promise<Transport> {
    let failure: DialError | null = null;
    for (let i = 0; i < addresses.length; i++) {
      const address = addresses[i] as string; // i is below the length
      const now = this.clock.now();
      const share = Math.max(0, deadline - now) / (addresses.length - i);
      try {
        if (!endpoint.secure && this.sockets === null) {
          return await this.connect(
            { address, port: endpoint.port, localAddress: options.localAddress },
            now + share,
            options,
          );
        }
        return await this.attempt(() => this.open(address, host, endpoint, options), now + share, options);
      } catch (error) {
        assert(error instanceof DialError, 'an attempt fails with a DialError');
        // Without a descriptor the next address fails alike.
        if (error.code === 'aborted' || error.code === 'no_descriptor') throw error;
        failure = worse(failure, error);
      }
    }
    assert(failure !== null, 'a name has at least one address');
    if (addresses.length === 1) throw failure;
    const message = `${failure.message} (last of ${addresses.length} addresses of ${host})`;
    throw new DialError(failure.code, failure.cause_code, message, { cause: failure });
  }

  private open(address: string, host: string, endpoint: TcpEndpoint, options: DialOptions): Attempt {
    const target = {
      host: address,
      port: endpoint.port,
      allowHalfOpen: true,
      // With it on, Node gives each address 250 ms, whatever our own share says.
      autoSelectFamily: false,
      ...(options.localAddress === null ? {} : { localAddress: options.localAddress }),
    };
    const peer = `${address} port ${endpoint.port}`;
    const openPlain = () => (this.sockets?.tcp ?? connectNet)(target);
    if (!endpoint.secure) return { socket: openPlain(), secure: null, beginTls: null, peer };
    const { tls, preamble } = options;
    // RFC 9525 6.1: the name checked is the one configured, never one that a look-up or the backend gave.
    const name = unbracketed(tls?.server_name ?? host).replace(/\.$/, '');
    const { context, sessions } = this.contexts.of(tls);
    const resumption = sessions.resume(`${name} ${peer}`);
    const openTls = (over: ConnectionOptions): SecureAttempt => {
      const socket = (this.sockets?.tls ?? connectTls)({
        ...over,
        secureContext: context,
        ...(resumption.session === null ? {} : { session: resumption.session }),
        // RFC 6066 3: literal addresses are not permitted in SNI.
        servername: familyOf(name) === 0 ? name : '',
        rejectUnauthorized: tls?.verify ?? true,
        checkServerIdentity: (_host, certificate) => certificateFault(name, certificate),
      });
      // Before the handshake, or Node does not ask OpenSSL for them.
      socket.on('session', (session) => resumption.onSession(session));
      return { socket, resumption };
    };
    if (preamble === null) {
      const secure = openTls(target);
      return { socket: secure.socket, secure, beginTls: null, peer };
    }
    const socket = openPlain();
    return { socket, secure: null, beginTls: () => openTls({ socket }), peer };
  }

  /** Plain TCP: no socket object, and nothing that a listener could miss. */
  private connect(to: ConnectTarget, deadline: number, options: DialOptions): Promise<Transport> {
    const { signal, preamble } = options;
    return this.guard<Transport>(deadline, signal, 'connection', (done, fail) => {
      const onError = (error: Error) => fail(failureOf(error, false, `${to.address} port ${to.port}`));
      const onConnected = (transport: Transport) => introduce(transport, preamble, done, onError);
      return this.carrier.connect(to, onConnected, onError);
    });
  }

  private lookUp(
    host: string,
    addresses: Promise<readonly string[]>,
    deadline: number,
    signal: AbortLike,
  ): Promise<readonly string[]> {
    return this.guard<readonly string[]>(deadline, signal, `look-up of ${host}`, (done, fail) => {
      addresses.then(done, (error: Error) => {
        fail(new DialError('backend_dns', codeOf(error), `look-up of ${host} failed`, { cause: error }));
      });
      // A look-up cannot be recalled; its answer serves the next dial.
      return () => {};
    });
  }

  private attempt(open: () => Attempt, deadline: number, options: DialOptions): Promise<Transport> {
    const { signal, preamble } = options;
    return this.guard<Transport>(deadline, signal, 'connection', (done, fail) => {
      let attempt: Attempt;
      try {
        attempt = open();
      } catch (error) {
        // Node refuses some arguments, and OpenSSL some certificates, before there is a socket.
        fail(failureOf(error as Error, false, 'backend'));
        return () => {};
      }
      const { socket, beginTls, peer } = attempt;
      let { secure } = attempt;
      let connected = false;
      const onConnect = () => {
        connected = true;
        socket.setNoDelay(true);
        socket.setKeepAlive(true, KEEP_ALIVE_AFTER_MS);
        if (beginTls !== null && preamble !== null) {
          socket.write(preamble);
          secure = beginTls();
          watch(secure.socket);
          secure.socket.on('secureConnect', onReady);
        } else if (secure === null) onReady();
      };
      const onReady = () => {
        forget();
        for (const one of watched) one.removeListener('error', onError);
        if (secure !== null) done(this.secured(secure));
        else introduce(this.carrier.carry(socket), preamble, done, onError);
      };
      const onError = (error: Error) => fail(failureOf(error, connected && secure !== null, peer));
      const onClose = () => onError(Object.assign(new Error('closed before it was connected'), { code: 'ECONNRESET' }));
      const watched: Socket[] = [];
      const watch = (one: Socket) => {
        watched.push(one);
        one.on('error', onError);
        one.on('close', onClose);
      };
      const forget = () => {
        socket.removeListener('connect', onConnect);
        secure?.socket.removeListener('secureConnect', onReady);
        for (const one of watched) one.removeListener('close', onClose);
      };
      // Read by nobody until it is handed over: its handle may be taken from it.
      if (secure === null) socket.pause();
      watch(socket);
      socket.on('connect', onConnect);
      if (secure !== null) socket.on('secureConnect', onReady);
      return () => {
        if (connected) secure?.resumption.onFailure();
        // The error listeners stay: what fails on the way down must not end the process.
        forget();
        for (const one of watched) one.destroy();
      };
    });
  }

  private secured({ socket, resumption }: SecureAttempt): Transport {
    resumption.onSecure(socket);
    return this.carrier.carrySecure(socket, (session) => resumption.onSession(session));
  }

  /**
   * Run `start` until it is done, fails, the deadline passes or the signal aborts; the first of these counts, and all
   * but `done` call the function that `start` returned.
   */
  private guard<T>(
    deadline: number,
    signal: AbortLike,
    what: string,
    start: (done: (value: T) => void, fail: (error: DialError) => void) => () => void,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (signal.aborted) return reject(new DialError('aborted', 'ABORT_ERR', `${what} aborted`));
      if (deadline <= this.clock.now()) return reject(timedOut(what));
      let settled = false;
      let undo = () => {};
      const settle = (): boolean => {
        if (settled) return false;
        settled = true;
        this.wheel.cancel(alarm);
        signal.removeEventListener('abort', onAbort);
        return true;
      };
      const fail = (error: DialError) => {
        if (!settle()) return;
        undo();
        reject(error);
      };
      const onAbort = () => fail(new DialError('aborted', 'ABORT_ERR', `${what} aborted`));
      const alarm = new Alarm(() => fail(timedOut(what)));
      signal.addEventListener('abort', onAbort);
      this.wheel.schedule(alarm, deadline);
      undo = start((value) => {
        if (settle()) resolve(value);
      }, fail);
    });
  }
}

/** The first bytes of a connection, for whoever reads it later: of what fails at once nobody else would hear. */
function introduce(
  transport: Transport,
  preamble: Buffer | null,
  done: (transport: Transport) => void,
  fail: (error: Error) => void,
): void {
  let lost: Error | null = null;
  if (preamble !== null) {
    const onLost = (error: Error) => {
      lost = error;
    };
    transport.reader = { ...silentReader, onLost };
    transport.write(preamble, 0, preamble.length, true);
    transport.reader = silentReader;
  }
  if (lost === null) done(transport);
  else {
    transport.destroy();
    fail(lost);
  }
}

/**
 * The failure that speaks for all addresses: the last one, except that our own shortage is reported only if no address
 * failed otherwise (a machine without IPv6 says EADDRNOTAVAIL for each IPv6 address).
 */
function worse(before: DialError | null, now: DialError): DialError {
  return before !== null && now.code === 'no_local_port' ? before : now;
}

function sameFamily(addresses: readonly string[], localAddress: string | null, host: string): readonly string[] {
  if (localAddress === null) return addresses;
  const family = familyOf(localAddress);
  const usable = addresses.filter((address) => familyOf(address) === family);
  if (usable.length > 0) return usable;
  const message = `${host} has no address of the family of ${localAddress}`;
  throw new DialError('backend_unreachable', 'EAFNOSUPPORT', message);
}
