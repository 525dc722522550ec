// All attacks, in the order in which they run: one file for each, an entry here. An attack is a demand: peers that mean
// harm in processes of their own, the command as its users start it, and a bound for what others may notice.

import type { Demand } from '../scale/demand.ts';
import { adminAskers } from './admin-askers.ts';
import { adminSilence } from './admin-silence.ts';
import { backends } from './backends.ts';
import { badTokens } from './bad-tokens.ts';
import { credentialEnds } from './credential-ends.ts';
import { emptyFrames } from './empty-frames.ts';
import { ends } from './ends.ts';
import { jwksRotation } from './jwks-rotation.ts';
import { largeConfig } from './large-config.ts';
import { plainBodies } from './plain-bodies.ts';
import { plainIdle } from './plain-idle.ts';
import { plainReaders } from './plain-readers.ts';
import { reloads } from './reloads.ts';
import { silentBackend } from './silent-backend.ts';
import { stalledReaders } from './stalled-readers.ts';
import { stalls } from './stalls.ts';
import { storm } from './storm.ts';

export const ATTACKS: readonly Demand[] = [
  adminAskers,
  adminSilence,
  backends,
  badTokens,
  credentialEnds,
  ends,
  jwksRotation,
  largeConfig,
  plainBodies,
  plainIdle,
  plainReaders,
  reloads,
  silentBackend,
  stalledReaders,
  storm,
  stalls,
  emptyFrames,
];
