// The names of the policies by which an upstream balances: `upstream/balance` has a file and a row for each.

export const BALANCES = ['least_sessions', 'round_robin'] as const;

/** To come: they are known, and not a mistake in writing. One that has come is in the list above only. */
export const LATER_BALANCES = ['random_two', 'source_ip', 'hash'] as const;
