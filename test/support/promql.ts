// As much of PromQL as it takes to know which metrics and labels a query is about.

export interface QueryUse {
  /** Metric names with the labels their selectors name. */
  readonly selectors: readonly { readonly metric: string; readonly labels: readonly string[] }[];
  /** Labels in by, without, on, ignoring, group_left and group_right. */
  readonly grouped: readonly string[];
}

const WORDS = new Set(
  'by without on ignoring group_left group_right and or unless offset bool sum avg min max count rate irate increase '
    .concat('histogram_quantile changes time label_values topk bottomk vector absent clamp_min clamp_max Inf')
    .split(' '),
);

export function readQuery(query: string): QueryUse {
  const grouped: string[] = [];
  const selectors: { metric: string; labels: string[] }[] = [];
  const bare = query.replace(/"(?:[^"\\]|\\.)*"/g, '""');
  const rest = bare
    .replace(/\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g, (_, _word: string, list: string) => {
      grouped.push(...splitList(list));
      return ' ';
    })
    .replace(/\[[^\]]*\]/g, ' ')
    .replace(/\boffset\s+\S+/g, ' ');
  for (const match of rest.matchAll(/([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(\{([^}]*)\})?/g)) {
    const [, name = '', braces, inner = ''] = match;
    if (braces === undefined && WORDS.has(name)) continue;
    selectors.push({ metric: name, labels: splitList(inner).map((one) => one.replace(/\s*[=!~].*$/, '')) });
  }
  return { selectors, grouped };
}

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
}
