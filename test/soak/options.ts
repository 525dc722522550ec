// The command line of the soak.

import { parseArgs } from 'node:util';

export interface SoakOptions {
  readonly seed: number;
  readonly minutes: number;
  readonly slowLink: boolean;
}

export const USAGE = `npm run soak -- [options]

  --seed N      what decides every choice (default: 1)
  --minutes M   how long the traffic goes on; may be a fraction (default: 10)
  --slow-link   instead: honest clients on links of 50 KiB/s, 16 MiB each way, default limits; takes 6 minutes
`;

const MINUTES_MAX = 24 * 60;

/** Throws with a message for people. */
export function parseSoakOptions(argv: readonly string[]): SoakOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      seed: { type: 'string', default: '1' },
      minutes: { type: 'string', default: '10' },
      'slow-link': { type: 'boolean', default: false },
    },
  });
  const seed = Number(values.seed);
  const minutes = Number(values.minutes);
  if (!/^\d+$/.test(values.seed) || !Number.isSafeInteger(seed)) throw new Error(`--seed ${values.seed}: a number`);
  if (!(minutes > 0 && minutes <= MINUTES_MAX)) throw new Error(`--minutes ${values.minutes}: up to ${MINUTES_MAX}`);
  return { seed, minutes, slowLink: values['slow-link'] };
}
