// Streams of the corpus through sessions of a whole proxy, all of them at once: each session ends once, for the cause
// that it has in memory, and its backend connection with it.

import type { ConfigInput } from '../../src/proxy.ts';
import { POLICY } from '../session/rig.ts';
import type { RunningProxy } from '../support/harness.ts';
import type { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { type CorpusCase, nameOf } from './corpus-case.ts';
import type { Side } from './frame-streams.ts';
import { causeOf } from './stream-verdict.ts';

/** The limits of the sessions in memory; silence ends a session soon. */
export const STREAM_CONFIG = {
  limits: { from_client: limitsOf('fromClient'), from_backend: limitsOf('fromBackend') },
  timeouts: { close: '100ms' },
} as const satisfies Partial<ConfigInput>;

function limitsOf(direction: 'fromClient' | 'fromBackend') {
  const { messageBytesMax, frameBytesMax, fragmentsMax } = POLICY[direction];
  return {
    max_message_size: `${messageBytesMax}B`,
    max_frame_size: `${frameBytesMax}B`,
    max_fragments: fragmentsMax,
    control_frames_per_second: 'off',
  } as const;
}

/** The sessions that ended otherwise than in memory, in words. */
export async function runStreamsOnSockets(
  side: Side,
  cases: readonly CorpusCase[],
  { running, backend }: { readonly running: RunningProxy; readonly backend: RawBackend },
): Promise<string[]> {
  const ends = [];
  for (const [index, one] of cases.entries()) {
    const path = `/${side}-${index}`;
    const client = await RawClient.connect(running.port);
    const opened = client.upgrade({ path });
    const server = await backend.nextSession();
    await opened;
    const cause = causeOf(one.bytes, { side });
    const culprit = side === 'client' ? client : server;
    culprit.send(one.bytes);
    if (cause === `${side}_lost`) culprit.reset();
    ends.push({ name: nameOf(one), path, cause });
  }
  const faults: string[] = [];
  for (const { name, path, cause } of ends) {
    const { reason } = await running.waitForLog('session.end', (line) => line.path === path);
    if (reason !== cause) faults.push(`${side}, ${name}: ${reason}, in memory ${cause}`);
  }
  const count = running.logsOf('session.end').filter(({ path }) => String(path).startsWith(`/${side}-`)).length;
  if (count !== cases.length) faults.push(`${count} sessions ended, of ${cases.length}`);
  return faults;
}
