// The words in which a target's state is told, here and to those who look from outside.

/**
 * What keeps new sessions from a target, the gravest first. Each has one who sets and lifts it; whoever finds that
 * a target is down has a word of its own here. What picks a target knows none of them.
 */
export const BARS = ['draining', 'down', 'ejected'] as const;
export type Bar = (typeof BARS)[number];

/** Who says so. */
export type BarWhy = 'admin' | 'check' | 'passive' | 'discovery';

/** `failing` keeps nobody away: the last dial failed. */
export type TargetState = 'up' | 'failing' | Bar | 'gone';
