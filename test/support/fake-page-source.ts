// What the page of a fake subject shows: fixed views, and seconds that a test lets pass.

import type { PageSource } from '../../src/admin/page-source.ts';
import type { CountsView, Figure, Figures, HistoryView, PartsView, SecondView } from '../../src/admin/page-types.ts';
import { sampleStatus, sampleUpstreams } from './fake-admin-subject.ts';

const NAMES: readonly Figure[] = [
  'sessions',
  'opened_per_s',
  'ended_per_s',
  'refused_per_s',
  'http_requests_per_s',
  'messages_from_client_per_s',
  'messages_from_backend_per_s',
  'bytes_from_client_per_s',
  'bytes_from_backend_per_s',
  'limit_hits_per_s',
  'paused',
  'buffered_bytes',
  'ping_rtt_ms',
  'memory_bytes',
  'loop_lag_ms',
  'cpu_share',
];

const allOf = <T>(value: T) => Object.fromEntries(NAMES.map((name) => [name, value])) as Record<Figure, T>; // of all

export class FakePageSource implements PageSource {
  isOn = true;
  counted: CountsView = {
    ends: [{ by: 'client', reason: 'client_close', code: '1000', count: 7 }],
    limits: [{ limit: 'max_message_size', from: 'client', hits: 3 }],
  };
  figures: Figures = allOf(1);
  /** Seconds that were told, and parts. */
  seconds = 0;
  partsMade = 0;
  /** What parts wait for. */
  gate: Promise<unknown> = Promise.resolve();
  fault: Error | null = null;
  private waiting: ((second: SecondView | null) => void)[] = [];

  /** Somebody waits for a second. */
  get isWatched(): boolean {
    return this.waiting.length > 0;
  }

  /** A second passes: whoever waits for it is told. */
  pass(): void {
    this.seconds += 1;
    const { figures, counted, isOn } = this;
    const second = { at: 1000 * this.seconds, figures, ...counted, workers: [] };
    const { waiting } = this;
    this.waiting = [];
    for (const resolve of waiting) resolve(isOn ? second : null);
  }

  async history(): Promise<HistoryView | null> {
    const span = (step_ms: number) => ({ step_ms, until: 1000 * this.seconds, figures: allOf([1, null]) });
    return this.isOn ? { seconds: span(1000), tens: span(10_000) } : null;
  }

  second(): Promise<SecondView | null> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  async counts(): Promise<CountsView> {
    return this.counted;
  }

  async parts(): Promise<PartsView> {
    this.partsMade += 1;
    await this.gate;
    if (this.fault !== null) throw this.fault;
    return { status: sampleStatus, upstreams: sampleUpstreams, routes_total: 12, targets_total: 1 };
  }
}
