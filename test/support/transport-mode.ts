// Which transport the tests run on: both, in two projects of vitest.config.ts.

/** `auto` is the one on handles, where Node allows it. */
export const transportMode: 'auto' | 'stream' = process.env.FRAMEGATE_TRANSPORT === 'stream' ? 'stream' : 'auto';
