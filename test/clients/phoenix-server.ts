// A small server of Phoenix channels: V2 messages, over WebSocket and by long polling as Phoenix.Transports.LongPoll
// serves it. There is no Elixir here.

import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { WebSocketServer } from 'ws';
import { textOf } from './servers.ts';

/** `join_ref`, `ref`, `topic`, `event`, `payload`. */
type Message = readonly [string | null, string | null, string, string, object];

interface PhoenixOptions {
  /** How long a poll waits (`window_ms`). */
  readonly windowMs: number;
  /** Whether there is a WebSocket. */
  readonly websocket: boolean;
}

/** Events of a channel: `echo` is replied to with its payload, `shout` goes to all that have joined. */
export class PhoenixServer {
  private readonly options: PhoenixOptions;
  /** Of those that poll, by their tokens. */
  private readonly sessions = new Map<string, PollSession>();
  private readonly joined = new Map<
    (message: Message) => void,
    { readonly topic: string; readonly ref: string | null }
  >();

  constructor(server: Server, options: PhoenixOptions) {
    this.options = options;
    const sockets = new WebSocketServer({ noServer: true, maxPayload: 10_000_000 });
    server.on('request', (request, response) => void this.serve(request, response));
    server.on('upgrade', (request, socket, head) => {
      if (!options.websocket) {
        socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
        return;
      }
      sockets.handleUpgrade(request, socket, head, (one) => {
        const send = (message: Message) => one.send(JSON.stringify(message));
        one.on('error', () => {});
        one.on('message', (data) => this.take(String(data), send));
        one.on('close', () => this.joined.delete(send));
      });
    });
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? '';
    const token = new URLSearchParams(url.slice(url.indexOf('?') + 1)).get('token') ?? '';
    const session = this.sessions.get(token);
    if (request.method === 'POST') {
      // Of lines, as many as were sent since the last time.
      const lines = (await textOf(request)).split('\n');
      for (const line of session === undefined ? [] : lines) this.take(line, session?.send ?? (() => {}));
      answer(response, { status: session === undefined ? 410 : 200 });
    } else if (session === undefined) {
      const fresh = randomUUID();
      this.sessions.set(fresh, new PollSession(fresh, this.options.windowMs));
      // "Gone" with a token: a session begins.
      answer(response, { status: 410, token: fresh, messages: [] });
    } else session.poll(response);
  }

  private take(text: string, send: (message: Message) => void): void {
    const [joinRef, ref, topic, event, payload]: Message = JSON.parse(text);
    const reply = (response: object) => send([joinRef, ref, topic, 'phx_reply', { status: 'ok', response }]);
    if (event === 'phx_join') this.joined.set(send, { topic, ref: joinRef });
    if (event === 'phx_leave') this.joined.delete(send);
    if (event === 'shout') {
      for (const [tell, { topic: theirs, ref: since }] of this.joined)
        if (theirs === topic) tell([since, null, topic, 'shout', payload]);
    }
    reply(event === 'echo' ? payload : {});
  }
}

class PollSession {
  readonly send = (message: Message): void => {
    this.waiting.push(JSON.stringify(message));
    this.flush(200);
  };
  private readonly token: string;
  private readonly windowMs: number;
  private waiting: string[] = [];
  private asked: ServerResponse | null = null;
  private window: NodeJS.Timeout | undefined;

  constructor(token: string, windowMs: number) {
    this.token = token;
    this.windowMs = windowMs;
  }

  poll(response: ServerResponse): void {
    this.asked = response;
    response.on('close', () => {
      if (this.asked !== response) return;
      this.asked = null;
      clearTimeout(this.window);
    });
    if (this.waiting.length > 0) this.flush(200);
    else this.window = setTimeout(() => this.flush(204), this.windowMs);
  }

  private flush(status: number): void {
    const { asked, waiting } = this;
    if (asked === null) return;
    clearTimeout(this.window);
    this.asked = null;
    this.waiting = [];
    answer(asked, { status, token: this.token, messages: waiting });
  }
}

/** What it says stands in the body: the status of HTTP is always 200. */
function answer(response: ServerResponse, body: object): void {
  response.setHeader('Content-Type', 'application/json; charset=utf-8').end(JSON.stringify(body));
}
