// Which transport the tests run on: vitest.config.ts has a layout for each.

/** `auto` is the one on handles, where Node allows it. */
export const transportMode: 'auto' | 'stream' = process.env.FRAMEGATE_TRANSPORT === 'stream' ? 'stream' : 'auto';
