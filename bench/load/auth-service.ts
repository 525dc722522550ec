// The process of the service that methods of auth ask: everybody is good, as RFC 7662 says it.

import { createServer } from 'node:http';
import { answerMessages } from '../support/child-process.ts';

export type AuthServiceRequest = 'listen';
export interface AuthServiceReply {
  readonly url: string;
}

const ANSWER = '{"active":true,"sub":"bench"}';
const HOST = '127.0.0.1';

answerMessages<AuthServiceRequest, AuthServiceReply>(() => {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.end(ANSWER));
  });
  return new Promise((resolve) => {
    server.listen({ host: HOST, port: 0, backlog: 4096 }, () => {
      const address = server.address();
      if (address !== null && typeof address === 'object') resolve({ url: `http://${HOST}:${address.port}/` });
    });
  });
});
