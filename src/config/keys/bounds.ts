// Owns the numbers that bound more than one key.

export const KIB = 1024;
export const MIB = KIB * KIB;
export const GIB = KIB * MIB;

export const SESSIONS_MAX = 10_000_000;
/** Events a second: at least one in 1000 s. */
export const RATE = { min: 0.001, max: 1_000_000 } as const;
/** Events at once. */
export const BURST = { min: 1, max: 1_000_000_000 } as const;
