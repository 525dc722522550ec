// What passes between a generation and the first process of a container, which starts the next one for it: that one
// would end with the container's first process otherwise. Forms and their reading.

/** In the environment of a generation that has such a parent. */
export const PARENT_VARIABLE = 'FRAMEGATE_PARENT';

/** From a generation. What it says to the one before it passes as it is. */
export type ToParent =
  /** With the handle of a listening socket. */
  | { readonly kind: 'socket'; readonly key: string }
  | { readonly kind: 'launch' }
  | { readonly kind: 'tell'; readonly message: unknown }
  | { readonly kind: 'kill' };

/** To a generation about the next one. What the one before it says passes as it is. */
export type FromParent =
  | { readonly kind: 'started'; readonly pid: number }
  | { readonly kind: 'said'; readonly message: unknown }
  | { readonly kind: 'ended'; readonly why: string };

export function readToParent(value: unknown): ToParent | null {
  const { kind, key, message } = recordOf(value);
  if (kind === 'launch' || kind === 'kill') return { kind };
  if (kind === 'tell') return { kind, message };
  return kind === 'socket' && typeof key === 'string' ? { kind, key } : null;
}

export function readFromParent(value: unknown): FromParent | null {
  const { kind, pid, why, message } = recordOf(value);
  if (kind === 'said') return { kind, message };
  if (kind === 'started' && typeof pid === 'number') return { kind, pid };
  return kind === 'ended' && typeof why === 'string' ? { kind, why } : null;
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
