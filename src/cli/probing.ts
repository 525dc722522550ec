// One conversation with a WebSocket server, each step with its time, until all of it worked or one has failed. It
// prints nothing, and leaves no socket behind.

import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { TimerWheel } from '../limits/timer-wheel.ts';
import { Abort } from '../net/abort.ts';
import { Carrier } from '../net/carrier.ts';
import { certificateFault } from '../net/certificate-name.ts';
import { codeOf } from '../net/dial-error.ts';
import { Resolver } from '../net/resolve.ts';
import type { Transport } from '../net/transport.ts';
import { familyOf } from '../protocol/addresses/ip-address.ts';
import { exchange, type Switched } from '../upstream/backend-handshake.ts';
import { Talk } from '../upstream/health/talk.ts';
import { upgradeRequest } from '../upstream/health/websocket-check.ts';
import type { ProbeCommand } from './commands.ts';

export type Step = 'look-up' | 'connect' | 'TLS' | 'upgrade' | 'ping' | 'message' | 'close';

interface StepTaken {
  readonly step: Step;
  readonly ms: number;
  /** What it led to, for people. */
  readonly found: string;
}

export interface Probed {
  readonly steps: readonly StepTaken[];
  readonly failure: { readonly step: Step; readonly ms: number; readonly cause: string } | null;
  /** Its version; null without TLS. */
  readonly tls: string | null;
  readonly subprotocol: string | null;
  readonly extensions: string | null;
}

/** For all of it. */
const TIMEOUT_MS = 10_000;
const DRIVE_MS = 20;
const HEAD_BYTES_MAX = 65_536;
const KEY_BYTES = 16;
const OFFERS = ['permessage-deflate'];
const SILENCE = `no answer within ${TIMEOUT_MS / 1_000} s`;

export async function probe(command: ProbeCommand): Promise<Probed> {
  return new Probe(command).run();
}

class Probe {
  private readonly command: ProbeCommand;
  private readonly clock = { now: () => performance.now() };
  private readonly wheel = new TimerWheel(this.clock, DRIVE_MS);
  private readonly abort = new Abort();
  private readonly deadline = this.clock.now() + TIMEOUT_MS;
  private readonly steps: StepTaken[] = [];
  private socket: Socket | null = null;
  private tls: string | null = null;
  private subprotocol: string | null = null;
  private extensions: string | null = null;

  constructor(command: ProbeCommand) {
    this.command = command;
  }

  async run(): Promise<Probed> {
    const driver = setInterval(() => this.wheel.advance(), DRIVE_MS);
    let step: Step = 'look-up';
    let begun = this.clock.now();
    const take = async <T>(next: Step, work: () => Promise<T>, found: (value: T) => string): Promise<T> => {
      step = next;
      begun = this.clock.now();
      const value = await work();
      this.steps.push({ step, ms: this.clock.now() - begun, found: found(value) });
      return value;
    };
    let failure: Probed['failure'] = null;
    try {
      await this.converse(take);
    } catch (error) {
      failure = { step, ms: this.clock.now() - begun, cause: causeOf(error) };
    } finally {
      this.abort.abort();
      this.socket?.destroy();
      clearInterval(driver);
    }
    const { steps, tls, subprotocol, extensions } = this;
    return { steps, failure, tls, subprotocol, extensions };
  }

  private async converse(
    take: <T>(step: Step, work: () => Promise<T>, found: (value: T) => string) => Promise<T>,
  ): Promise<void> {
    const { url, message } = this.command;
    const isName = familyOf(url.host) === 0;
    const addresses = isName
      ? await take(
          'look-up',
          () => this.lookUp(),
          (found) => found.join(', '),
        )
      : [url.host];
    const plain = await take(
      'connect',
      () => this.connect(addresses),
      ({ remoteAddress }) => remoteAddress ?? '',
    );
    const carrier = new Carrier('stream');
    let transport: Transport;
    if (url.secure) {
      const secure = await take(
        'TLS',
        () => this.secure(plain),
        (socket) => tlsText(socket),
      );
      this.tls = secure.getProtocol();
      transport = carrier.carrySecure(secure);
    } else transport = carrier.carry(plain);
    const switched = await take('upgrade', () => this.upgrade(transport), upgradeText);
    const { wheel, clock, deadline, abort: signal } = this;
    const { deflate, leftover } = switched;
    const talk = new Talk({ transport, wheel, clock, deadline, signal, deflate, leftover });
    talk.begin();
    await take(
      'ping',
      () => talk.ping(),
      () => '',
    );
    if (message !== null) {
      talk.listenFor('');
      talk.send(message);
      await take(
        'message',
        () => talk.heard(),
        () => `${talk.heardBytes} bytes came`,
      );
    }
    const { left } = await take(
      'close',
      () => talk.close(),
      () => '',
    );
    await left;
  }

  private lookUp(): Promise<readonly string[]> {
    return this.inTime(new Resolver(this.clock).resolve(this.command.url.host));
  }

  /** The first that takes a connection. */
  private async connect(addresses: readonly string[]): Promise<Socket> {
    let failure: unknown = new Error('no address');
    for (const host of addresses) {
      const socket = connect({ host, port: this.command.url.port, allowHalfOpen: true, autoSelectFamily: false });
      socket.pause();
      this.socket = socket;
      try {
        await this.ready(socket, 'connect');
        socket.setNoDelay(true);
        return socket;
      } catch (error) {
        socket.destroy();
        failure = error;
      }
    }
    throw failure;
  }

  private async secure(socket: Socket): Promise<TLSSocket> {
    const { host } = this.command.url;
    const secure = connectTls({
      socket,
      servername: familyOf(host) === 0 ? host : '',
      checkServerIdentity: (_host, certificate) => certificateFault(host, certificate),
    });
    this.socket = secure;
    await this.ready(secure, 'secureConnect');
    return secure;
  }

  private ready(socket: Socket, when: 'connect' | 'secureConnect'): Promise<void> {
    const connected = new Promise<void>((resolve, reject) => {
      // Stays: what fails on the way down is no fault of ours.
      socket.on('error', reject);
      socket.once('close', () => reject(new Error('the connection ended')));
      socket.once(when, () => resolve());
    });
    return this.inTime(connected);
  }

  private async upgrade(transport: Transport): Promise<Switched> {
    const { url, headers, subprotocol } = this.command;
    const isHost = ([name]: readonly [string, string]): boolean => name.toLowerCase() === 'host';
    const key = randomBytes(KEY_BYTES).toString('base64');
    const protocols = subprotocol === null ? [] : [subprotocol];
    const host = headers.find(isHost)?.[1] ?? url.authority;
    const fields = headers.filter((one) => !isHost(one));
    const { wheel, deadline, abort: signal } = this;
    const answer = await exchange({
      transport,
      wheel,
      request: upgradeRequest({ path: url.path, host, fields, key, protocols, extensions: OFFERS }),
      key,
      protocols,
      extensions: OFFERS,
      deadline,
      signal,
      headBytesMax: HEAD_BYTES_MAX,
      relax: [],
      progress: { refusal: null },
    });
    if (answer.kind === 'refused') throw new Error(`status ${answer.status}`);
    if (answer.kind === 'failed') throw new Error(answer.error === 'backend_timeout' ? SILENCE : answer.cause);
    this.subprotocol = answer.protocol;
    this.extensions = answer.extensions;
    if (answer.protocol !== subprotocol) throw new Error(`subprotocol ${subprotocol} was not chosen`);
    return answer;
  }

  private inTime<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(SILENCE)), Math.max(0, this.deadline - this.clock.now()));
      work.then(resolve, reject).finally(() => clearTimeout(late));
    });
  }
}

function tlsText(socket: TLSSocket): string {
  return `${socket.getProtocol()}, ${socket.getCipher().standardName}`;
}

function upgradeText({ protocol, extensions }: Switched): string {
  return `101, subprotocol ${protocol ?? 'none'}, extensions ${extensions ?? 'none'}`;
}

/** A code of the system, of Node or of OpenSSL where there is one, else what was said. */
function causeOf(error: unknown): string {
  const code = codeOf(error);
  if (code !== 'UNKNOWN') return code;
  return error instanceof Error ? error.message : String(error);
}
