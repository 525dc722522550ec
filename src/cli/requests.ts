// What a running proxy is asked for: its end, by signals, by faults that nobody caught or through the admin listener;
// and a reload, by signals or by a file that has changed. It ends and reloads nothing on its own.

import type { EventEmitter } from 'node:events';
import type { Proxy as Framegate, ReloadAsk } from '../proxy.ts';

/** Why a running proxy shall end. `restart`: the next one runs, and this one is ending. */
export type Stop = { readonly kind: 'signal'; readonly name: string } | { readonly kind: 'crash' | 'restart' };

/** Asks for an end, in the order they come: signals, and exceptions that nobody caught. It ends nothing itself. */
export class StopRequests {
  readonly first: Promise<Stop>;
  readonly second: Promise<'again'>;
  private readonly settle: ((stop: Stop) => void)[] = [];
  private readonly tellCrash: (error: unknown) => void;
  private hasCrashed = false;

  constructor(signals: EventEmitter, tellCrash: (error: unknown) => void) {
    this.tellCrash = tellCrash;
    this.first = new Promise((resolve) => this.settle.push(resolve));
    this.second = new Promise((resolve) => this.settle.push(() => resolve('again')));
    for (const name of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
      signals.on(name, () => this.add({ kind: 'signal', name }));
    }
    signals.on('uncaughtException', (error) => this.crash(error));
  }

  /** True when an end was asked for by a fault of our own. */
  get crashed(): boolean {
    return this.hasCrashed;
  }

  /** A drain by the admin listener; one that goes on already is not cut short by it. */
  askedByAdmin(): void {
    if (this.settle.length > 1) this.add({ kind: 'signal', name: 'admin' });
  }

  private add(stop: Stop): void {
    this.settle.shift()?.(stop);
  }

  /** Unhandled rejections come here too. The state is unknown from here on: drain with what still works, then end. */
  private crash(error: unknown): void {
    this.tellCrash(error);
    this.hasCrashed = true;
    this.add({ kind: 'crash' });
  }
}

/** Signals that ask for a reload; one that comes while the proxy starts is not lost, nor does it end the process. */
export class ReloadRequests {
  private proxy: Framegate | null = null;
  private asked: ReloadAsk | null = null;

  constructor(signals: EventEmitter) {
    for (const name of ['SIGHUP', 'SIGUSR2'] as const) signals.on(name, () => this.ask());
  }

  ask(ask: ReloadAsk = {}): void {
    this.asked = ask;
    if (this.proxy === null) return;
    this.asked = null;
    // What came of it is in the log; it does not run any more when it is being stopped.
    this.proxy.reload(undefined, ask).catch(() => {});
  }

  serve(proxy: Framegate): void {
    this.proxy = proxy;
    if (this.asked !== null) this.ask(this.asked);
  }
}
