// Handshakes without end in a process of their own: each on a connection of its own, from several source addresses so
// that ports which wait after their connection do not run out, each answer counted by its status and error.

import * as net from 'node:net';
import { answerMessages } from '../../bench/support/child-process.ts';

export interface FloodRequest {
  readonly port: number;
  readonly count: number;
  readonly atOnce: number;
  readonly sources: readonly string[];
  /** Sent in turn, as latin1. One that `leaves` is cut off after its last byte. */
  readonly heads: readonly { readonly bytes: string; readonly leaves?: boolean }[];
}

export interface FloodReply {
  /** Per index of `heads`: how often each answer came, `404 no_route` for example, or how it failed. */
  readonly answers: readonly Readonly<Record<string, number>>[];
}

const DEADLINE_MS = 30_000;

answerMessages<FloodRequest, FloodReply>(async (request) => {
  const answers = request.heads.map(() => new Map<string, number>());
  let next = 0;
  const worker = async () => {
    while (next < request.count) {
      const index = next;
      next += 1;
      const at = index % request.heads.length;
      const answer = await handshake(request, index);
      const counts = answers[at];
      counts?.set(answer, (counts.get(answer) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: request.atOnce }, worker));
  return { answers: answers.map((counts) => Object.fromEntries(counts)) };
});

function handshake({ port, sources, heads }: FloodRequest, index: number): Promise<string> {
  const { bytes, leaves } = heads[index % heads.length] ?? { bytes: '' };
  const localAddress = sources[index % sources.length] ?? '127.0.0.1';
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1', localAddress });
    let answer = '';
    const late = setTimeout(() => socket.destroy(new Error('no answer in time')), DEADLINE_MS);
    const over = (how: string) => {
      clearTimeout(late);
      resolve(how);
    };
    socket.on('error', (error: NodeJS.ErrnoException) => over(error.code ?? error.message));
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1');
    });
    socket.on('close', () => over(leaves === true ? 'left' : nameOf(answer)));
    socket.write(Buffer.from(bytes, 'latin1'), () => {
      if (leaves === true) socket.resetAndDestroy();
    });
  });
}

function nameOf(answer: string): string {
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1];
  const error = /"error":"(\w+)"/.exec(answer)?.[1];
  return status === undefined ? `no answer: ${JSON.stringify(answer.slice(0, 100))}` : `${status} ${error ?? '-'}`;
}
