// The figures of each second, with their charts: what goes on now, and how it came to that.

import type { Figure } from '../admin/page-types.ts';
import type { StatusView } from '../admin/subject.ts';
import { Chart, momentText } from './chart.ts';
import { byId, make, say, setClass } from './dom.ts';
import { durationText, groupedText, NONE, percentText, rateText, sizeText } from './format.ts';
import type { Span, Timeline } from './timeline.ts';

interface FigureShape {
  readonly title: string;
  readonly lines: readonly { readonly figure: Figure; readonly unit: string }[];
  readonly text: (value: number) => string;
  readonly ticks: 'bytes' | 'whole' | 'any';
  /** What else is told of it, in the line below: one more figure, which may be null. */
  readonly beside?: Figure;
  /** That line; a warning where it begins with `!`. */
  readonly below: (value: number | null, status: StatusView | null) => string;
}

const CLOSE_TO_LIMIT = 0.8;

const shapes: readonly FigureShape[] = [
  {
    title: 'Sessions',
    lines: [{ figure: 'sessions', unit: '' }],
    text: groupedText,
    ticks: 'whole',
    below: (_, status) => (status === null ? '' : sessionsBelow(status)),
  },
  {
    title: 'Opens and ends a second',
    lines: [
      { figure: 'opened_per_s', unit: 'opened' },
      { figure: 'ended_per_s', unit: 'ended' },
    ],
    text: rateText,
    ticks: 'any',
    beside: 'refused_per_s',
    below: (refused) => (refused === null ? '' : `${rateText(refused)} handshakes refused a second`),
  },
  {
    title: 'Messages a second',
    lines: [
      { figure: 'messages_from_client_per_s', unit: 'from clients' },
      { figure: 'messages_from_backend_per_s', unit: 'from backends' },
    ],
    text: rateText,
    ticks: 'any',
    beside: 'http_requests_per_s',
    below: (requests) =>
      requests === null || requests === 0 ? '' : `beside ${rateText(requests)} plain requests a second`,
  },
  {
    title: 'Bytes a second',
    lines: [
      { figure: 'bytes_from_client_per_s', unit: 'from clients' },
      { figure: 'bytes_from_backend_per_s', unit: 'from backends' },
    ],
    text: sizeText,
    ticks: 'bytes',
    below: () => 'payload, as it is on the wire',
  },
  {
    title: 'Paused sessions',
    lines: [{ figure: 'paused', unit: '' }],
    text: groupedText,
    ticks: 'whole',
    beside: 'buffered_bytes',
    below: (bytes) => (bytes === null ? '' : `${sizeText(bytes)} wait for slower peers`),
  },
  {
    title: 'Ping round trip',
    lines: [{ figure: 'ping_rtt_ms', unit: 'mean' }],
    text: durationText,
    ticks: 'any',
    below: () => 'of the pongs of clients in each step',
  },
  {
    title: 'Memory',
    lines: [{ figure: 'memory_bytes', unit: '' }],
    text: sizeText,
    ticks: 'bytes',
    beside: 'cpu_share',
    below: (share) => (share === null ? '' : `${percentText(share)} of a core`),
  },
  {
    title: 'Event-loop lag',
    lines: [{ figure: 'loop_lag_ms', unit: 'longest' }],
    text: durationText,
    ticks: 'any',
    below: () => 'the latest that anything was late',
  },
];

function sessionsBelow({ sessions: { open, limit }, handshakes_open: handshakes }: StatusView): string {
  const under = `${groupedText(handshakes)} handshakes under way`;
  if (limit === null) return under;
  const share = open / limit;
  return `${share >= CLOSE_TO_LIMIT ? '!' : ''}${percentText(share)} of ${groupedText(limit)}; ${under}`;
}

export class FigureViews {
  private readonly timeline: Timeline;
  private readonly views: readonly FigureView[];
  private readonly moment = byId('moment');
  private span: Span;
  /** Of the step that is pointed at; null: the last one. */
  private index: number | null = null;
  private status: StatusView | null = null;

  constructor(timeline: Timeline) {
    this.timeline = timeline;
    this.span = timeline.minutes;
    this.views = shapes.map((shape) => new FigureView(shape, (index) => this.point(index)));
    byId('figures').replaceChildren(...this.views.map(({ root }) => root));
    byId('span').addEventListener('change', ({ target }) => {
      this.span = target instanceof HTMLInputElement && target.value === 'hour' ? timeline.hour : timeline.minutes;
      this.show();
    });
  }

  setStatus(status: StatusView): void {
    this.status = status;
    this.showValues();
  }

  /** After each change of the timeline. */
  show(): void {
    for (const view of this.views) view.chart.show(this.span);
    this.showValues();
  }

  private point(index: number | null): void {
    // Each of the charts says so, since their cursors go together.
    if (index === this.index) return;
    this.index = index;
    this.showValues();
  }

  private showValues(): void {
    const { index, span } = this;
    // Without a cursor it is the last second, whichever span the charts show.
    const shown = index === null || index >= span.times.length ? this.timeline.minutes : span;
    const at = shown === span && index !== null ? index : shown.times.length - 1;
    say(this.moment, index === null ? '' : `at ${momentText(shown, at)}`);
    for (const view of this.views) view.showValues(shown, at, index === null ? this.status : null);
  }
}

class FigureView {
  readonly root: HTMLElement;
  readonly chart: Chart;
  private readonly shape: FigureShape;
  private readonly values: readonly HTMLElement[];
  private readonly below = make('div', { class: 'below' });

  constructor(shape: FigureShape, onCursor: (index: number | null) => void) {
    this.shape = shape;
    const { title, lines, text, ticks } = shape;
    this.values = lines.map(() => make('span'));
    const values = lines.map(({ unit }, index) => {
      const key = lines.length > 1 ? make('span', { class: 'key' }) : null;
      return make(
        'span',
        { class: 'value' },
        key,
        this.values[index] ?? null,
        unit === '' ? null : make('small', {}, unit),
      );
    });
    const chart = make('div', { class: 'chart', role: 'img', tabindex: 0, 'aria-label': title });
    this.root = make(
      'div',
      { class: 'panel figure' },
      make('h3', {}, title),
      make('div', { class: 'values' }, ...values),
      this.below,
      chart,
    );
    this.chart = new Chart(chart, { name: title, figures: lines.map(({ figure }) => figure), text, ticks, onCursor });
  }

  showValues(span: Span, index: number, status: StatusView | null): void {
    const figureAt = (name: Figure): number | null => span.column(name)[index] ?? null;
    for (const [line, { figure }] of this.shape.lines.entries()) {
      const value = figureAt(figure);
      const element = this.values[line];
      if (element !== undefined) say(element, value === null ? NONE : this.shape.text(value));
    }
    const { beside } = this.shape;
    const below = this.shape.below(beside === undefined ? null : figureAt(beside), status);
    setClass(this.below, below.startsWith('!') ? 'below state warn' : 'below');
    say(this.below, below.replace(/^!/, ''));
  }
}
