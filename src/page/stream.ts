// Follows the listener's events: the history first, then each second, and all over again after whatever broke it off.
// It ends while nobody looks at the tab, which leaves its seat to another one, and when the token is no longer right.

import type { HistoryView, PageEvents } from '../admin/page-types.ts';
import { type Api, ApiError } from './api.ts';
import { EventParser } from './event-parser.ts';

/** A second without an event is one too late; after these the connection is taken for dead. */
const SILENCE_MS = 8_000;
const RETRY_MS = [500, 1_000, 2_000, 5_000] as const;
/**
 * A tab that is looked away from for less keeps its stream. Not for long: browsers have six connections to a host, all
 * tabs together, and with a stream on each of them nothing else could be asked.
 */
const HIDDEN_MS = 5_000;

export type StreamState =
  | { readonly kind: 'connecting' | 'live' | 'hidden' | 'locked' | 'off' }
  | { readonly kind: 'lost'; readonly why: string };

interface StreamListener {
  history(history: HistoryView): void;
  event<Name extends keyof PageEvents>(name: Name, data: PageEvents[Name]): void;
  state(state: StreamState): void;
}

export class EventStream {
  private readonly api: Api;
  private readonly listener: StreamListener;
  private running: AbortController | null = null;
  private hiddenTimer = 0;
  private wanted = false;

  constructor(api: Api, listener: StreamListener) {
    this.api = api;
    this.listener = listener;
    document.addEventListener('visibilitychange', () => this.onVisibility());
  }

  /** Begins, or begins anew with the token that holds now. */
  start(): void {
    this.wanted = true;
    this.running?.abort();
    this.running = new AbortController();
    void this.follow(this.running.signal);
  }

  /** Until `start`. */
  stop(state: StreamState): void {
    this.wanted = false;
    this.pause(state);
  }

  private pause(state: StreamState): void {
    this.running?.abort();
    this.running = null;
    this.listener.state(state);
  }

  private onVisibility(): void {
    clearTimeout(this.hiddenTimer);
    if (!this.wanted) return;
    if (document.visibilityState === 'hidden') {
      this.hiddenTimer = window.setTimeout(() => this.pause({ kind: 'hidden' }), HIDDEN_MS);
    } else if (this.running === null) this.start();
  }

  private async follow(signal: AbortSignal): Promise<void> {
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      if (attempt === 0) this.listener.state({ kind: 'connecting' });
      try {
        this.listener.history(await this.api.get<HistoryView>('api/v1/history'));
        if (signal.aborted) return;
        await this.readEvents(signal, () => {
          attempt = 0;
        });
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ApiError && error.status === 401) return;
        this.listener.state({ kind: 'lost', why: whyLost(error) });
      }
      await pauseFor(RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)] ?? 0, signal);
    }
  }

  private async readEvents(signal: AbortSignal, onEvent: () => void): Promise<void> {
    const own = new AbortController();
    const stop = (): void => own.abort();
    signal.addEventListener('abort', stop, { once: true });
    let timer = window.setTimeout(stop, SILENCE_MS);
    try {
      const reader = (await this.api.stream('api/v1/events', own.signal)).getReader();
      const decoder = new TextDecoder();
      const parser = new EventParser();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) throw new ApiError(0, 'unreachable', 'the stream has ended');
        clearTimeout(timer);
        timer = window.setTimeout(stop, SILENCE_MS);
        for (const { name, data } of parser.feed(decoder.decode(value, { stream: true }))) {
          if (signal.aborted) return;
          onEvent();
          this.tell(name as keyof PageEvents, JSON.parse(data));
        }
      }
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      // Whatever it was, nobody reads on.
      own.abort();
    }
  }

  private tell<Name extends keyof PageEvents>(name: Name, data: PageEvents[Name]): void {
    if (name === 'second') this.listener.state({ kind: 'live' });
    this.listener.event(name, data);
  }
}

function whyLost(error: unknown): string {
  if (!(error instanceof ApiError)) return error instanceof Error ? error.message : String(error);
  return error.error === 'unreachable' ? 'no answer' : error.message;
}

function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
