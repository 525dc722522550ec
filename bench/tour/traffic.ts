// Mixed traffic for a look at a running proxy: chat rooms, a ticker, uploads, idle sessions, a client that reads slowly
// and one that sends too fast. All of it seeded, small and on loopback.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { payloadOf } from '../load/frames.ts';

const HOST = '127.0.0.1';

export interface Backends {
  readonly chat: number;
  readonly ticks: number;
  stop(): void;
}

/** A chat backend that answers what it gets, and one that sends a tick ten times a second. */
export async function startBackends(): Promise<Backends> {
  const [chat, ticks] = [newServer(), newServer()];
  await Promise.all([once(chat, 'listening'), once(ticks, 'listening')]);
  chat.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  let tick = 0;
  const timer = setInterval(() => {
    tick += 1;
    const text = JSON.stringify({ tick, prices: Array.from({ length: 1 + (tick % 40) }, (_, i) => 100 + i) });
    for (const socket of ticks.clients) socket.send(text);
  }, 100);
  const stop = () => {
    clearInterval(timer);
    for (const server of [chat, ticks]) {
      for (const socket of server.clients) socket.terminate();
      server.close();
    }
  };
  return { chat: portOf(chat), ticks: portOf(ticks), stop };
}

function newServer(): WebSocketServer {
  return new WebSocketServer({ host: HOST, port: 0, perMessageDeflate: false });
}

function portOf(server: WebSocketServer): number {
  return (server.address() as AddressInfo).port; // of a TCP server that listens
}

/** Opens the clients; they go on until they are stopped. */
export async function startClients(port: number): Promise<{ stop(): void }> {
  const open = async (path: string) => {
    const socket = new WebSocket(`ws://${HOST}:${port}${path}`, { perMessageDeflate: false });
    socket.on('error', () => {});
    await once(socket, 'open');
    return socket;
  };
  const timers: NodeJS.Timeout[] = [];
  const sockets: WebSocket[] = [];
  const every = (ms: number, socket: WebSocket, say: (turn: number) => Buffer | string) => {
    let turn = 0;
    timers.push(
      setInterval(() => {
        if (socket.readyState === WebSocket.OPEN) socket.send(say(turn));
        turn += 1;
      }, ms),
    );
    sockets.push(socket);
  };
  for (let i = 0; i < 12; i += 1) {
    const socket = await open(`/chat/room-${i % 3}`);
    every(120 + 35 * i, socket, (turn) => `message ${turn} of ${i}: ${'la '.repeat((turn * 7 + i) % 60)}`);
  }
  // Too fast for its route, in a burst now and then.
  const hasty = await open('/chat/room-0');
  sockets.push(hasty);
  timers.push(
    setInterval(() => {
      for (let i = 0; i < 60 && hasty.readyState === WebSocket.OPEN; i += 1) hasty.send('hurry');
    }, 3_000),
  );
  for (let i = 0; i < 5; i += 1) sockets.push(await open('/ticks'));
  const uploader = await open('/upload');
  every(1_500, uploader, (turn) => payloadOf(turn, 64 * 1024 * (1 + (turn % 5))));
  for (let i = 0; i < 3; i += 1) sockets.push(await open('/chat/lobby'));
  const stop = () => {
    for (const timer of timers) clearInterval(timer);
    for (const socket of sockets) socket.terminate();
  };
  return { stop };
}
