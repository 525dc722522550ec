// What answers plain requests: one to a connection, read to its end by its length, answered with a body of 1 KiB.

import { createServer, type Socket } from 'node:net';

export const ANSWER_BODY = Buffer.alloc(1_024, 'framegate');
const HEAD_END = '\r\n\r\n';
const ANSWER = Buffer.concat([
  Buffer.from(
    'HTTP/1.1 200 OK\r\nDate: Mon, 30 Nov 2026 12:00:00 GMT\r\nContent-Type: application/json\r\n' +
      `Cache-Control: no-store\r\nETag: "5f-1a2b3c"\r\nContent-Length: ${ANSWER_BODY.length}\r\n` +
      `Connection: close${HEAD_END}`,
  ),
  ANSWER_BODY,
]);

/** Gives its port. */
export function listenForRequests(host: string): Promise<number> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => new Answering(socket));
  return new Promise((resolve) => {
    server.listen({ host, port: 0, backlog: 4096 }, () => {
      const address = server.address();
      if (address !== null && typeof address === 'object') resolve(address.port);
    });
  });
}

class Answering {
  private text = '';
  private isDone = false;

  constructor(socket: Socket) {
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
    socket.on('data', (bytes: Buffer) => {
      this.text += bytes.toString('latin1');
      if (this.isDone || !isWhole(this.text)) return;
      this.isDone = true;
      socket.end(ANSWER);
    });
  }
}

function isWhole(text: string): boolean {
  const at = text.indexOf(HEAD_END);
  if (at < 0) return false;
  const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, at))?.[1];
  if (length === undefined && /\r\ntransfer-encoding:/i.test(text.slice(0, at))) return text.endsWith('0\r\n\r\n');
  return text.length - at - HEAD_END.length >= Number(length ?? 0);
}
