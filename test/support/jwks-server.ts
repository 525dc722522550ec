// An authorization server's JWK Set on a loopback port, as good or as bad as a test wants it.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Identity } from './certs.ts';
import { atTestEnd } from './cleanup.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

export class JwksServer {
  /** Paths that were asked for. */
  readonly asked: string[] = [];
  answer: Answer = (_, response) => response.end('{"keys":[]}');
  readonly url: string;
  /** Done by itself when the test ends. */
  readonly close: () => void;

  private constructor(url: string, close: () => void) {
    this.url = url;
    this.close = close;
  }

  static async listen(identity: Identity | null = null): Promise<JwksServer> {
    const listener: Answer = (request, response) => {
      own.asked.push(request.url ?? '');
      own.answer(request, response);
    };
    const server = identity === null ? createServer(listener) : createSecureServer({ ...identity }, listener);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const own = new JwksServer(`${identity === null ? 'http' : 'https'}://127.0.0.1:${port}/jwks`, () => {
      server.closeAllConnections();
      server.close();
    });
    atTestEnd(own.close);
    return own;
  }

  /** From now on it has these keys. */
  serve(...keys: readonly object[]): void {
    this.answer = (_, response) => response.end(JSON.stringify({ keys }));
  }
}
