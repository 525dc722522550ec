// A backend that echoes on WebSockets and answers the checks of type http as a test says now.

import * as http from 'node:http';
import * as https from 'node:https';
import { WebSocketServer } from 'ws';
import { atTestEnd } from './cleanup.ts';

export class CheckedBackend {
  readonly server: http.Server | https.Server;
  readonly url: string;
  /** What checks are answered with. */
  status = 200;
  /** Checks so far. */
  checks = 0;
  /** Upgrade requests, in their order. */
  readonly upgrades: http.IncomingHttpHeaders[] = [];

  private constructor(server: http.Server | https.Server, scheme: string) {
    const address = server.address();
    this.server = server;
    this.url = `${scheme}://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
    server.on('request', (_request, response: http.ServerResponse) => {
      this.checks += 1;
      response.writeHead(this.status).end();
    });
    const sockets = new WebSocketServer({ server });
    sockets.on('connection', (socket, { headers }) => {
      this.upgrades.push(headers);
      socket.on('message', (data, binary) => socket.send(data, { binary }));
      socket.on('error', () => {});
    });
    atTestEnd(async () => {
      for (const socket of sockets.clients) socket.terminate();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
  }

  /** With `tls` it speaks that. */
  static async listen(tls?: { readonly cert: string; readonly key: string }): Promise<CheckedBackend> {
    const server = tls === undefined ? http.createServer() : https.createServer(tls);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new CheckedBackend(server, tls === undefined ? 'ws' : 'wss');
  }
}
