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
