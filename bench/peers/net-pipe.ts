// A peer of the load bench: `net` sockets piped into each other. It looks at nothing; the least that Node can do.
// node net-pipe.js PORT BACKEND_PORT [PORT BACKEND_PORT ...]

import { connect, createServer } from 'node:net';

const HOST = '127.0.0.1';
const ports = process.argv.slice(2).map(Number);

for (let i = 0; i + 1 < ports.length; i += 2) {
  const backendPort = ports[i + 1] ?? 0;
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
    const backend = connect({ host: HOST, port: backendPort, noDelay: true, allowHalfOpen: true });
    const cut = () => {
      client.destroy();
      backend.destroy();
    };
    client.on('error', cut);
    backend.on('error', cut);
    client.pipe(backend);
    backend.pipe(client);
  });
  server.listen({ host: HOST, port: ports[i] ?? 0, backlog: 4096 });
}
