// A strict reader of the Prometheus text format 0.0.4: whatever a scraper might only tolerate is an error here.

export interface Sample {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: Sample[];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

export function parseMetrics(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line has no line feed');
  const families = new Map<string, Family>();
  const series = new Set<string>();
  let help: { name: string; text: string } | null = null;
  let current: Family | null = null;
  for (const line of text.slice(0, -1).split('\n')) {
    const head = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line);
    if (head?.[1] === 'HELP') {
      help = { name: head[2] ?? '', text: head[3] ?? '' };
      current = null;
    } else if (head?.[1] === 'TYPE') {
      const name = head[2] ?? '';
      if (help?.name !== name || !NAME.test(name)) throw new Error(`TYPE without HELP: ${line}`);
      if (families.has(name)) throw new Error(`family twice: ${name}`);
      if (!/^(counter|gauge|histogram)$/.test(head[3] ?? '')) throw new Error(`type: ${line}`);
      current = { name, type: head[3] ?? '', help: help.text, samples: [] };
      families.set(name, current);
    } else {
      const sample = parseSample(line);
      if (current === null || !belongs(current, sample.name)) throw new Error(`sample outside its family: ${line}`);
      const key = `${sample.name} ${JSON.stringify([...sample.labels].sort())}`;
      if (series.has(key)) throw new Error(`series twice: ${line}`);
      series.add(key);
      current.samples.push(sample);
    }
  }
  for (const family of families.values()) checkFamily(family);
  return families;
}

function belongs({ name, type }: Family, sample: string): boolean {
  if (type !== 'histogram') return sample === name;
  return [`${name}_bucket`, `${name}_sum`, `${name}_count`].includes(sample);
}

function parseSample(line: string): Sample {
  const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
  if (match === null) throw new Error(`no sample: ${line}`);
  const [, name = '', inner, number = ''] = match;
  if (!/^([+-]Inf|NaN|-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?)$/.test(number)) throw new Error(`value: ${line}`);
  const value = number === '+Inf' ? Infinity : number === '-Inf' ? -Infinity : Number(number);
  return { name, labels: inner === undefined ? new Map() : parseLabels(inner), value };
}

function parseLabels(text: string): Map<string, string> {
  const labels = new Map<string, string>();
  const pair = /([^=,]+)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/y;
  while (pair.lastIndex < text.length) {
    const match = pair.exec(text);
    if (match === null) throw new Error(`labels: ${text}`);
    const [, name = '', value = ''] = match;
    if (!LABEL.test(name) || labels.has(name)) throw new Error(`label name ${name}: ${text}`);
    labels.set(
      name,
      value.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped)),
    );
  }
  return labels;
}

function checkFamily(family: Family): void {
  const { name, type, samples } = family;
  // prom-client has gauges of Node that end so; ours do not.
  const mayBeGauge = name.startsWith('nodejs_');
  const isNamedCounter = name.endsWith('_total');
  if ((type === 'counter') !== isNamedCounter && !(mayBeGauge && isNamedCounter)) {
    throw new Error(`${name}: counters, and only they, end in _total`);
  }
  if (type === 'counter' && samples.some(({ value }) => !(value >= 0))) throw new Error(`${name}: a negative counter`);
  if (type === 'histogram') for (const group of groups(samples)) checkHistogram(name, group);
}

/** Samples that differ in nothing but `le`, in their order. */
function groups(samples: readonly Sample[]): Sample[][] {
  const found = new Map<string, Sample[]>();
  for (const sample of samples) {
    const key = JSON.stringify([...sample.labels].filter(([name]) => name !== 'le'));
    found.set(key, [...(found.get(key) ?? []), sample]);
  }
  return [...found.values()];
}

function checkHistogram(name: string, group: readonly Sample[]): void {
  const buckets = group.filter((sample) => sample.name === `${name}_bucket`);
  const bounds = buckets.map(({ labels }) => (labels.get('le') === '+Inf' ? Infinity : Number(labels.get('le'))));
  const ascending = (list: readonly number[]) =>
    list.every((one, index) => index === 0 || one >= (list[index - 1] ?? 0));
  const counts = buckets.map(({ value }) => value);
  const count = group.find((sample) => sample.name === `${name}_count`)?.value;
  if (group.length !== buckets.length + 2 || new Set(bounds).size !== bounds.length) throw new Error(`${name}: parts`);
  if (!ascending(bounds) || !ascending(counts)) throw new Error(`${name}: buckets do not ascend`);
  if (bounds.at(-1) !== Infinity || counts.at(-1) !== count) throw new Error(`${name}: le="+Inf" is not the count`);
}
