// What a class in a heap snapshot belongs to, in words of the proxy: sockets, session, timers, strings, the rest.

import type { ClassSize } from './heap-classes.ts';

const GROUPS: readonly { readonly name: string; readonly fits: RegExp }[] = [
  {
    name: 'sockets',
    fits: /Transport|Socket|^TCP|^Pipe|native .*(TCP|Pipe|Stream|Handle)|Wrap|ReadableState|WritableState/,
  },
  { name: 'timers', fits: /Timer|Timeout|Alarm|Deadline/ },
  { name: 'scanners', fits: /Scanner/ },
  { name: 'session', fits: /Session|Peer|Relay|Connection|Opening|Exchange|Record|Opened|EarlyBytes/ },
  { name: 'strings', fits: /string\)/ },
  { name: 'numbers in boxes', fits: /^\(number\)/ },
  { name: 'compiled code', fits: /^\(code\)|native .*CodeCache/ },
  { name: 'buffers', fits: /Buffer|Uint8Array|ArrayBuffer|BackingStore/ },
  {
    name: 'functions and contexts',
    fits: /^function|context|Promise|Generator|AsyncContext|AbortSignal|AbortController/i,
  },
  {
    name: 'maps, sets and arrays',
    fits: /^(Map|Set|Array|WeakMap|WeakSet)$|array|hash|table|elements|properties/i,
  },
];

export function groupOf(className: string): string {
  return GROUPS.find(({ fits }) => fits.test(className))?.name ?? 'other';
}

/** Bytes by group, the largest first. */
export function byGroup(classes: readonly ClassSize[]): { readonly name: string; readonly bytes: number }[] {
  const sums = new Map<string, number>();
  for (const { name, bytes } of classes) sums.set(groupOf(name), (sums.get(groupOf(name)) ?? 0) + bytes);
  return [...sums].map(([name, bytes]) => ({ name, bytes })).sort((a, b) => b.bytes - a.bytes);
}
