// One small chart of a figure or two over time, drawn by uPlot in the colours of the stylesheet. It says in words what
// it shows, and its cursor goes by mouse and by arrow keys, on all charts together.

import type { Figure } from '../admin/page-types.ts';
import { dateText, timeText } from './format.ts';
import type { Span } from './timeline.ts';

const HEIGHT = 104;
const SYNC = 'figures';
const FONT = '11px system-ui, sans-serif';
const BINARY_STEPS = Array.from({ length: 41 }, (_, index) => 2 ** index);
const MS_AN_HOUR = 3_600_000;

interface ChartShape {
  /** What is told of it to those who cannot see it. */
  readonly name: string;
  readonly figures: readonly Figure[];
  readonly text: (value: number) => string;
  /** How ticks are spaced: bytes by powers of two, things by whole numbers. */
  readonly ticks: 'bytes' | 'whole' | 'any';
  /** The step under the cursor; null: there is none, and the last one counts. */
  readonly onCursor: (index: number | null) => void;
}

export class Chart {
  readonly root: HTMLElement;
  private readonly shape: ChartShape;
  private plot: uPlot | null = null;
  private span: Span | null = null;
  private isSeen = false;
  private isStale = false;

  constructor(root: HTMLElement, shape: ChartShape) {
    this.root = root;
    this.shape = shape;
    root.addEventListener('keydown', (event) => this.onKey(event));
    root.addEventListener('blur', () => this.plot?.setCursor({ left: -10, top: -10 }));
    // What nobody sees is not drawn.
    new IntersectionObserver((entries) => {
      this.isSeen = entries.at(-1)?.isIntersecting === true;
      if (this.isSeen && this.isStale) this.draw();
    }).observe(root);
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(root);
    // Its colours are those of the moment in which it was made.
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.plot?.destroy();
      this.plot = null;
      this.draw();
    });
  }

  show(span: Span): void {
    this.span = span;
    this.isStale = true;
    if (this.isSeen) this.draw();
  }

  private draw(): void {
    const { span } = this;
    if (span === null) return;
    this.isStale = false;
    const columns = this.shape.figures.map((name) => span.column(name));
    const data: uPlot.AlignedData = [span.times, ...columns];
    this.root.setAttribute('aria-label', this.summary(span, columns));
    if (this.plot === null) this.plot = new uPlot(this.options(), data, this.root);
    else this.plot.setData(data);
  }

  private size(): { width: number; height: number } {
    return { width: Math.max(120, this.root.clientWidth), height: HEIGHT };
  }

  private summary(span: Span, columns: readonly (readonly (number | null)[])[]): string {
    const { name, text } = this.shape;
    const parts = columns.map((column) => {
      const known = column.filter((value) => value !== null);
      const last = known.at(-1);
      if (last === undefined) return 'nothing yet';
      return `now ${text(last)}, least ${text(Math.min(...known))}, most ${text(Math.max(...known))}`;
    });
    return `${name}, last ${span.lengthMs === MS_AN_HOUR ? 'hour' : 'ten minutes'}: ${parts.join('; ')}`;
  }

  private options(): uPlot.Options {
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string): string => style.getPropertyValue(`--${name}`);
    const { text, ticks, onCursor, figures } = this.shape;
    const [first, second] = [colour('accent'), colour('second')];
    const line = (stroke: string): uPlot.Series => ({ stroke, width: 1.2, points: { show: false } });
    const axis = { font: FONT, stroke: colour('soft'), ticks: { show: false } };
    const incrs = ticks === 'bytes' ? { incrs: BINARY_STEPS } : ticks === 'whole' ? { incrs: wholeSteps() } : {};
    return {
      ...this.size(),
      padding: [8, 18, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        drag: { x: false, y: false },
        points: { size: 7, width: 2, fill: colour('sheet') },
        sync: { key: SYNC },
      },
      scales: {
        x: { range: () => this.times() },
        y: { range: (_plot, _least, most) => [0, most > 0 ? most * 1.08 : 1] },
      },
      axes: [
        { ...axis, grid: { show: false }, size: 22, gap: 4, space: 64, values: (_plot, at) => at.map(clockText) },
        {
          ...axis,
          grid: { stroke: colour('line'), width: 1 },
          size: 58,
          gap: 6,
          space: 30,
          ...incrs,
          values: (_plot, at) => at.map(text),
        },
      ],
      series: [{}, { ...line(first), fill: colour('wash') }, ...figures.slice(1).map(() => line(second))],
      hooks: { setCursor: [({ cursor }) => onCursor(cursor.idx ?? null)] },
    };
  }

  /** All of the span, even while it is not full. */
  private times(): [number, number] {
    const until = (this.span?.until ?? 0) / 1000;
    return [until - (this.span?.lengthMs ?? 0) / 1000, until];
  }

  private onKey(event: KeyboardEvent): void {
    const { plot, span } = this;
    if (plot === null || span === null || (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight')) return;
    event.preventDefault();
    const last = span.times.length - 1;
    const step = (event.shiftKey ? 10 : 1) * (event.key === 'ArrowLeft' ? -1 : 1);
    const index = Math.min(last, Math.max(0, (plot.cursor.idx ?? last) + step));
    plot.setCursor({ left: plot.valToPos(span.times[index] ?? 0, 'x'), top: 0 });
  }
}

function wholeSteps(): number[] {
  return Array.from({ length: 12 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat();
}

const clockText = (seconds: number): string => timeText(seconds * 1000).slice(0, 5);

/** Which moment a step is, for whoever points at it. */
export function momentText(span: Span, index: number): string {
  const at = (span.times[index] ?? 0) * 1000;
  return span.lengthMs === MS_AN_HOUR ? dateText(at) : timeText(at);
}
