// What one generation of a framegate says to the other: the variable that a new one is started with, and the messages
// between the two. Forms and their reading; nothing is sent here.

import type { GenerationView } from '../admin/generations.ts';
import type { KeptSecret } from '../net/ticket-secrets.ts';

/** In the environment of a new generation, which takes it away before anything else is started from there. */
export const HANDOVER_VARIABLE = 'FRAMEGATE_HANDOVER';
/** In the environment of a worker. */
export const WORKER_VARIABLE = 'FRAMEGATE_WORKER';

/** From the new one to the old one. */
export type Upward =
  | { readonly kind: 'ready' }
  /** It ends. `why`: what it said. */
  | { readonly kind: 'failed'; readonly why: string };

/** From the old one to the new one. */
export type Downward =
  /** Who is still there. */
  | { readonly kind: 'before'; readonly generations: readonly GenerationView[] }
  /** Some of what was revoked, as lines of the file for that. */
  | { readonly kind: 'revoked'; readonly lines: readonly string[] }
  /** The old one is gone, where that is not told by the end of the channel. */
  | { readonly kind: 'gone' }
  /** That was all of it. What session tickets are protected with, while no config says. */
  | { readonly kind: 'kept'; readonly tickets: KeptSecret };

/** `sockets`: descriptors by what they are for. */
export function handoverText(sockets: ReadonlyMap<string, number>): string {
  return JSON.stringify({ sockets: [...sockets] });
}

/** Null: it is none that this version understands. */
export function readHandover(text: string): ReadonlyMap<string, number> | null {
  const value = parsed(text);
  if (!isRecord(value) || !Array.isArray(value.sockets)) return null;
  const sockets = new Map<string, number>();
  for (const one of value.sockets) {
    const [key, fd]: unknown[] = Array.isArray(one) ? one : [];
    if (typeof key !== 'string' || typeof fd !== 'number' || !Number.isSafeInteger(fd) || fd < 3) return null;
    sockets.set(key, fd);
  }
  return sockets;
}

export function readUpward(value: unknown): Upward | null {
  if (!isRecord(value)) return null;
  if (value.kind === 'ready') return { kind: 'ready' };
  return value.kind === 'failed' && typeof value.why === 'string' ? { kind: 'failed', why: value.why } : null;
}

export function readDownward(value: unknown): Downward | null {
  if (!isRecord(value)) return null;
  const { kind, generations, lines, tickets } = value;
  if (kind === 'gone') return { kind };
  if (kind === 'before' && Array.isArray(generations)) return { kind, generations: generations.filter(isGeneration) };
  if (kind === 'revoked' && Array.isArray(lines)) return { kind, lines: lines.map(String) };
  return kind === 'kept' && isKeptSecret(tickets) ? { kind, tickets } : null;
}

function isKeptSecret(value: unknown): value is KeptSecret {
  if (!isRecord(value) || typeof value.secret !== 'string') return false;
  return value.since === null || typeof value.since === 'number';
}

function isGeneration(value: unknown): value is GenerationView {
  if (!isRecord(value)) return false;
  return typeof value.pid === 'number' && typeof value.sessions === 'number' && typeof value.state === 'string';
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
