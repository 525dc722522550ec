// Echoes with uWebSockets.js, with the compressor that the argument names; its first line of output is its port.

import { createRequire } from 'node:module';

const [library, compressor] = process.argv.slice(2);
const uws = createRequire(import.meta.url)(library);

uws
  .App()
  .ws('/*', {
    maxPayloadLength: 1024 * 1024,
    compression: uws[compressor] | uws.DEDICATED_DECOMPRESSOR,
    message: (socket, message, isBinary) => {
      socket.send(message, isBinary, true);
    },
  })
  .listen('127.0.0.1', 0, (token) => process.stdout.write(`${uws.us_socket_local_port(token)}\n`));
