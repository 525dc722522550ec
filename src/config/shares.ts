// A count that may also be given as a share of another one, as the loaded config holds it and as the file has it.

export type CountOrShare = { readonly count: number } | { readonly percent: number };

export function countOrShareText(value: CountOrShare): number | string {
  return 'count' in value ? value.count : `${value.percent}%`;
}
