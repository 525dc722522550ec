// A peer of the load bench for plain requests: Node's HTTP server, and for each request one of Node's client on a
// connection of its own, piped into each other. It looks at nothing; the least that Node can do.
// node http-pipe.js PORT BACKEND_PORT

import { createServer, type IncomingMessage, request } from 'node:http';

const HOST = '127.0.0.1';
const [port = 0, backendPort = 0] = process.argv.slice(2).map(Number);

const server = createServer((incoming, response) => {
  const { method, url: path } = incoming;
  const asked = request({ host: HOST, port: backendPort, agent: false, method, path, headers: fieldsOf(incoming) });
  asked.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 0, fieldsOf(answer));
    answer.pipe(response);
  });
  asked.on('error', () => response.destroy());
  incoming.pipe(asked);
});
server.listen({ host: HOST, port, backlog: 4096 });

/** Those of the connection are not for the next one. */
function fieldsOf({ headers }: IncomingMessage): IncomingMessage['headers'] {
  const { connection: _, ...fields } = headers;
  return fields;
}
