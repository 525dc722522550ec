// Writes the Prometheus text format, version 0.0.4: families with help and type, then samples. It knows no metric.

import type { Histogram } from './histogram.ts';

export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export type MetricType = 'counter' | 'gauge' | 'histogram';

/** What is written of one. */
export type Buckets = Pick<Histogram, 'bounds' | 'counts' | 'sum' | 'count'>;

/** Label values by name, in the order in which they are written. */
export type Labels = Readonly<Record<string, string>>;

export class TextFormat {
  private lines: string[] = [];
  private name = '';

  /** Begins a family; the samples that follow belong to it. A name comes once. */
  family(name: string, type: MetricType, help: string): void {
    this.name = name;
    this.lines.push(`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`);
  }

  sample(labels: Labels, value: number): void {
    this.lines.push(`${this.name}${labelText(labels)} ${numberText(value)}`);
  }

  histogram(labels: Labels, { bounds, counts, sum, count }: Buckets): void {
    const own = labelList(labels);
    const lead = own === '' ? '' : `${own},`;
    let cumulative = 0;
    for (let index = 0; index < bounds.length; index += 1) {
      cumulative += counts[index] ?? 0;
      this.lines.push(`${this.name}_bucket{${lead}le="${numberText(bounds[index] ?? 0)}"} ${cumulative}`);
    }
    const braces = own === '' ? '' : `{${own}}`;
    this.lines.push(`${this.name}_bucket{${lead}le="+Inf"} ${count}`);
    this.lines.push(`${this.name}_sum${braces} ${numberText(sum)}`, `${this.name}_count${braces} ${count}`);
  }

  /** What was written since the last time, whole lines. */
  take(): string {
    if (this.lines.length === 0) return '';
    const text = `${this.lines.join('\n')}\n`;
    this.lines = [];
    return text;
  }
}

function labelText(labels: Labels): string {
  const list = labelList(labels);
  return list === '' ? '' : `{${list}}`;
}

function labelList(labels: Labels): string {
  let text = '';
  for (const name in labels) text += `${text === '' ? '' : ','}${name}="${escapeLabel(labels[name] ?? '')}"`;
  return text;
}

/** Backslash, quote and line feed are all that the format escapes; the names of a config hold any other text. */
function escapeLabel(value: string): string {
  return /[\\"\n]/.test(value) ? value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n') : value;
}

function escapeHelp(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/\n/g, '\\n');
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}
