// One GET over TLS to a program beside the test.

import { get } from 'node:https';

/** The body of the answer. */
export function askTls(port: number, where: string, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path: where, ca, agent: false }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.once('end', () => resolve(Buffer.concat(parts).toString()));
      answer.once('error', reject);
    });
    request.once('error', reject);
  });
}
