// Measures handshakes by method of auth: framegate with an open route, and beside it once with each method.

import { fileURLToPath } from 'node:url';
import { ChildScript } from '../support/child-process.ts';
import type { Progress } from '../support/progress.ts';
import { type AuthMethodName, asksService, methodUnderTest } from './auth-methods.ts';
import type { AuthServiceReply, AuthServiceRequest } from './auth-service.ts';
import type { Timing } from './cells.ts';
import { CONCURRENCY, measureOnce } from './handshake-mode.ts';
import { interleave, type Turn } from './interleave.ts';
import { HOST } from './peer-configs.ts';
import type { RunningPeer } from './peers.ts';
import type { HandshakeRound, PeerHandshakes } from './results.ts';
import { type Rig, stopAll } from './rig.ts';

const SERVICE = fileURLToPath(new URL('./auth-service.js', import.meta.url));
const SUBJECT = 'framegate';
const KIND = 'auth';

export async function measureAuth(
  rig: Rig,
  methods: readonly AuthMethodName[],
  timing: Timing,
  progress: Progress,
): Promise<PeerHandshakes[]> {
  const service = methods.some(asksService) ? startService(rig) : null;
  const peers: RunningPeer[] = [];
  const turns: Turn<HandshakeRound>[] = [];
  try {
    const url = service === null ? 'http://127.0.0.1:1/' : (await service.ask('listen')).url;
    const open = await rig.startPeer(SUBJECT, CONCURRENCY);
    peers.push(open);
    turns.push({ peer: open, measure: () => measureOnce(rig, open, timing, { kind: KIND }) });
    for (const name of methods) {
      const { method, fieldsFor } = methodUnderTest(name, url);
      const started = await rig.startPeer(SUBJECT, CONCURRENCY, { framegateAuth: method });
      peers.push(started);
      const peer = { ...started, name: `${SUBJECT}, ${name}` };
      const fields = fieldsFor(`${HOST}:${peer.port}`);
      turns.push({ peer, measure: () => measureOnce(rig, peer, timing, { kind: KIND, fields }) });
    }
    const found = await interleave('handshakes with auth', turns, timing.rounds, progress);
    return found.map((one) => ({ kind: KIND, ...one }));
  } finally {
    await Promise.all([stopAll(peers), service?.stop()]);
  }
}

function startService(rig: Rig): ChildScript<AuthServiceRequest, AuthServiceReply> {
  return new ChildScript(SERVICE, { core: rig.options.loadCore });
}
