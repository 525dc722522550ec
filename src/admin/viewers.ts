// Who looks at the page: streams of events, at most so many, all of which get the same bytes, made once a second while
// anybody looks. Whoever is slow misses seconds, and is cut off when nothing is taken for long.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../limits/clock.ts';
import type { Slices } from '../limits/slices.ts';
import { eventChunks } from './answer.ts';
import { headersOf } from './delivery.ts';
import type { PageSource } from './page-source.ts';
import type { EndView, PageEvents } from './page-types.ts';

const VIEWERS_MAX = 10;
/** With something to take and nothing taken. */
const STALL_MS = 15_000;
/** Of seconds, one that tells the parts, too. */
const PARTS_EVERY = 2;

interface ViewersOptions {
  readonly source: PageSource;
  readonly clock: Clock;
  readonly slices: Slices;
  /** What goes wrong in here. */
  onFault(error: unknown): void;
}

interface Viewer {
  /** When it was last seen to have taken all. */
  takenAt: number;
  isOwedParts: boolean;
}

export class Viewers {
  private readonly options: ViewersOptions;
  /** At most VIEWERS_MAX; each leaves with its connection. */
  private readonly viewers = new Map<ServerResponse, Viewer>();
  private isTelling = false;
  private seconds = 0;

  constructor(options: ViewersOptions) {
    this.options = options;
  }

  /** False: there are too many. Else the response is a stream from now on. */
  enter(request: IncomingMessage, response: ServerResponse): boolean {
    if (this.viewers.size >= VIEWERS_MAX) return false;
    response.writeHead(200, { ...headersOf('text/event-stream'), 'X-Accel-Buffering': 'no' });
    if (request.method === 'HEAD') {
      response.end();
      return true;
    }
    response.flushHeaders();
    this.viewers.set(response, { takenAt: this.options.clock.now(), isOwedParts: true });
    response.once('close', () => this.viewers.delete(response));
    void this.tell();
    return true;
  }

  /** Tells all of them why and lets go of them. */
  endAll(why: EndView['why']): void {
    const bytes = `event: end\ndata: ${JSON.stringify({ why })}\n\n`;
    for (const response of this.viewers.keys()) {
      // Who does not take what is there already would not take this either.
      if (isReady(response)) response.end(bytes);
      else response.destroy();
    }
    this.viewers.clear();
  }

  /** They come again by themselves, to whoever listens then. */
  cutAll(): void {
    for (const response of this.viewers.keys()) response.destroy();
    this.viewers.clear();
  }

  /** Once a second, until nobody looks. */
  private async tell(): Promise<void> {
    if (this.isTelling) return;
    this.isTelling = true;
    try {
      while (this.viewers.size > 0 && (await this.tellSecond()));
    } catch (error) {
      this.options.onFault(error);
      for (const response of this.viewers.keys()) response.destroy();
    } finally {
      this.isTelling = false;
    }
  }

  /** False: the page is off. */
  private async tellSecond(): Promise<boolean> {
    const { source } = this.options;
    const second = await source.second();
    if (second === null) {
      this.endAll('page');
      return false;
    }
    this.cutStalled();
    if (this.viewers.size === 0) return true;
    const told = await this.bytesOf('second', second);
    for (const response of this.viewers.keys()) if (isReady(response)) writeAll(response, told);
    this.seconds += 1;
    if (this.seconds % PARTS_EVERY === 0) for (const viewer of this.viewers.values()) viewer.isOwedParts = true;
    if (![...this.viewers.values()].some(({ isOwedParts }) => isOwedParts)) return true;
    const parts = await this.bytesOf('parts', await source.parts());
    for (const [response, viewer] of this.viewers) {
      if (!viewer.isOwedParts || !isReady(response)) continue;
      writeAll(response, parts);
      viewer.isOwedParts = false;
    }
    return true;
  }

  private bytesOf(name: keyof PageEvents, view: unknown): Promise<readonly Buffer[]> {
    return this.options.slices.run(eventChunks(name, view));
  }

  private cutStalled(): void {
    const now = this.options.clock.now();
    for (const [response, viewer] of this.viewers) {
      if (isReady(response)) viewer.takenAt = now;
      else if (now - viewer.takenAt > STALL_MS) response.destroy();
    }
  }
}

/** It has taken what came before: else it gets none of what comes now. */
function isReady(response: ServerResponse): boolean {
  return response.writableLength === 0;
}

function writeAll(response: ServerResponse, chunks: readonly Buffer[]): void {
  for (const chunk of chunks) response.write(chunk);
}
