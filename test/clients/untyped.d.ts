// As much of the packages without types as the tests use.

declare module 'sockjs' {
  import type { Server } from 'node:http';

  export interface Connection {
    readonly protocol: string;
    readonly headers: Readonly<Record<string, string>>;
    on(event: 'data', listener: (message: string) => void): void;
    on(event: 'close', listener: () => void): void;
    write(message: string): boolean;
    close(code?: number, reason?: string): boolean;
  }
  export interface SockServer {
    on(event: 'connection', listener: (connection: Connection) => void): void;
    installHandlers(server: Server, options: { prefix: string }): void;
  }
  export function createServer(options: object): SockServer;
}

declare module '@rails/actioncable' {
  export interface Subscription {
    perform(action: string, data: object): boolean;
    unsubscribe(): unknown;
  }
  export interface Consumer {
    readonly subscriptions: { create(channel: object, callbacks: object): Subscription };
    connect(): boolean;
    disconnect(): void;
  }
  export const adapters: { WebSocket: unknown; logger: unknown };
  export const ConnectionMonitor: { staleThreshold: number };
  export function createConsumer(url: string): Consumer;
}

declare module 'sockjs-client' {
  class SockJS {
    constructor(url: string, protocols: null, options: { readonly transports?: readonly string[] });
    readonly transport: string;
    onopen: () => void;
    onmessage: (event: { readonly data: string }) => void;
    onclose: (event: { readonly code: number; readonly reason: string }) => void;
    send(text: string): void;
    close(code?: number, reason?: string): void;
  }
  export = SockJS;
}

declare module 'phoenix' {
  export interface Push {
    receive(status: string, callback: (response: never) => void): Push;
  }
  export interface Channel {
    join(): Push;
    push(event: string, payload: object): Push;
    on(event: string, callback: (payload: never) => void): number;
    leave(): Push;
  }
  export class Socket {
    constructor(endPoint: string, options: object);
    connect(): void;
    disconnect(callback?: () => void): void;
    channel(topic: string, params?: object): Channel;
    onOpen(callback: () => void): string;
    onClose(callback: (event: { readonly code: number }) => void): string;
    onError(callback: (error: unknown, transport: unknown) => void): string;
  }
  export class LongPoll {}
}
