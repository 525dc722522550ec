// A peer of the load bench: sockets of Node piped into each other. It looks at nothing; the least that Node can do.
// node net-pipe.js PORT BACKEND_PORT [PORT BACKEND_PORT ...] [--cert FILE --key FILE [--backend-tls]]

import { readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { parseArgs } from 'node:util';

const HOST = '127.0.0.1';
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { cert: { type: 'string' }, key: { type: 'string' }, 'backend-tls': { type: 'boolean', default: false } },
});
const { cert, key } = values;
const ports = positionals.map(Number);

for (let i = 0; i + 1 < ports.length; i += 2) {
  const backendPort = ports[i + 1] ?? 0;
  const onClient = (client: Socket) => pipe(client, backendPort);
  const server =
    cert === undefined || key === undefined
      ? createServer({ noDelay: true, allowHalfOpen: true }, onClient)
      : createTlsServer({ noDelay: true, cert: readFileSync(cert), key: readFileSync(key) }, onClient);
  server.listen({ host: HOST, port: ports[i] ?? 0, backlog: 4096 });
}

function pipe(client: Socket, backendPort: number): void {
  const target = { host: HOST, port: backendPort, noDelay: true, allowHalfOpen: true };
  const backend = values['backend-tls'] ? connectTls({ ...target, rejectUnauthorized: false }) : connect(target);
  const cut = () => {
    client.destroy();
    backend.destroy();
  };
  client.on('error', cut);
  backend.on('error', cut);
  client.pipe(backend);
  backend.pipe(client);
}
