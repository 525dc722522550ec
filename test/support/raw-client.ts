// A client that sends exactly the bytes a test gives it, over TCP, TLS or a unix socket.

import * as net from 'node:net';
import * as tls from 'node:tls';
import { atTestEnd } from './cleanup.ts';
import { defaultDeadlineMs, RawPeer } from './raw-peer.ts';
import { type FrameSpec, frame, type Head, type UpgradeRequestSpec, upgradeRequest } from './wire.ts';

export interface ConnectOptions {
  /** Default 127.0.0.1. */
  host?: string;
  /** Present: TLS with these options; certificates are checked unless they say otherwise. */
  tls?: tls.ConnectionOptions;
  deadlineMs?: number;
  /** Source address. */
  localAddress?: string;
}

export class RawClient extends RawPeer {
  /** Connects to a port of the loopback interface or to a unix socket; destroyed when the test ends. */
  static async connect(target: number | string, options: ConnectOptions = {}): Promise<RawClient> {
    const where =
      typeof target === 'string'
        ? { path: target }
        : {
            port: target,
            host: options.host ?? '127.0.0.1',
            ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
          };
    const plain = net.connect({ ...where, allowHalfOpen: true, noDelay: true });
    const socket = options.tls === undefined ? plain : tls.connect({ ...options.tls, socket: plain });
    const client = new RawClient(socket, options.deadlineMs ?? defaultDeadlineMs);
    atTestEnd(() => client.destroy());
    let open = false;
    const born = () => {
      open = true;
      client.poke();
    };
    socket.once(options.tls === undefined ? 'connect' : 'secureConnect', born);
    await client.until(`a connection to ${target}`, () => (open ? true : null));
    return client;
  }

  /** Sends an upgrade request and takes the head of the answer, 101 or not. */
  async upgrade(spec: UpgradeRequestSpec = {}): Promise<Head> {
    this.send(upgradeRequest(spec));
    return this.readHead();
  }

  /** Sends a frame, masked as a client must unless `mask` says otherwise. */
  sendFrame(spec: FrameSpec): void {
    this.send(frame({ mask: true, ...spec }));
  }
}
