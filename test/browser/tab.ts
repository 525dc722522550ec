// A page in a browser, and its WebSockets as a test asks for them: page.js is the other half.

import * as https from 'node:https';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import type { Identity } from '../support/certs.ts';
import { atTestEnd } from '../support/cleanup.ts';

const IN_PAGE = fileURLToPath(new URL('page.js', import.meta.url));

export interface CloseFacts {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
  /** Whether `onopen` came first. */
  readonly opened: boolean;
}

export interface OpenFacts {
  readonly protocol: string;
  readonly extensions: string;
}

export type PageMessage =
  | { readonly kind: 'text'; readonly data: string }
  | { readonly kind: 'binary'; readonly size: number; readonly sha256: string };

/** One page, in a context that shares nothing with others: cookies and TLS sessions are its own. */
export class Tab {
  readonly page: Page;
  readonly context: BrowserContext;

  private constructor(page: Page, context: BrowserContext) {
    this.page = page;
    this.context = context;
  }

  /** Closed when the test ends. */
  static async open(browser: Browser, url: string): Promise<Tab> {
    const context = await browser.newContext();
    atTestEnd(() => context.close());
    await context.addInitScript({ path: IN_PAGE });
    const page = await context.newPage();
    await page.goto(url);
    return new Tab(page, context);
  }

  /** A WebSocket that was begun, and may end otherwise than open. */
  async begin(url: string, protocols: readonly string[] = []): Promise<PageSocket> {
    const id = await this.page.evaluate<number>(call('open', url, protocols));
    return new PageSocket(this.page, id);
  }

  /** An open one. */
  async connect(url: string, protocols: readonly string[] = []): Promise<PageSocket> {
    const socket = await this.begin(url, protocols);
    const settled = await socket.settled();
    if ('code' in settled) throw new Error(`not opened: ${JSON.stringify(settled)}`);
    return socket;
  }

  /** The end of one that is not to be open for long, or at all. */
  async endOf(url: string, protocols: readonly string[] = []): Promise<CloseFacts> {
    return (await this.begin(url, protocols)).closed();
  }
}

export class PageSocket {
  private readonly page: Page;
  private readonly id: number;

  constructor(page: Page, id: number) {
    this.page = page;
    this.id = id;
  }

  settled(): Promise<OpenFacts | CloseFacts> {
    return this.ask('settled');
  }

  closed(): Promise<CloseFacts> {
    return this.ask('closed');
  }

  next(): Promise<PageMessage> {
    return this.ask('next');
  }

  send(text: string): Promise<void> {
    return this.ask('send', text);
  }

  sendBytes(bytes: readonly number[]): Promise<void> {
    return this.ask('sendBytes', bytes);
  }

  /** A Blob of so many bytes; returns their SHA-256. */
  sendBlob(size: number): Promise<string> {
    return this.ask('sendBlob', size);
  }

  close(code: number, reason: string): Promise<void> {
    return this.ask('close', code, reason);
  }

  private ask<T>(name: string, ...args: readonly unknown[]): Promise<T> {
    return this.page.evaluate<T>(call(name, this.id, ...args));
  }
}

function call(name: string, ...args: readonly unknown[]): string {
  return `sockets.${name}(${args.map((arg) => JSON.stringify(arg)).join(', ')})`;
}

export interface PageServer {
  readonly port: number;
  close(): Promise<void>;
}

/** An empty page, whatever is asked for; `/sandboxed` has no origin of its own. Whoever starts it closes it. */
export async function servePages(identity: Identity): Promise<PageServer> {
  const server = https.createServer({ cert: identity.cert, key: identity.key }, ({ url }, response) => {
    response.setHeader('Content-Type', 'text/html');
    if (url === '/sandboxed') response.setHeader('Content-Security-Policy', 'sandbox allow-scripts');
    response.end('<!doctype html><title>A page</title>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    close: () => {
      server.closeAllConnections();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
