// 10^5 dials that fail: nothing of them stays, and each is counted.

import { upgradeRequest } from '../support/wire.ts';
import type { Demand } from './demand.ts';
import { flood } from './flood.ts';
import { Subject } from './subject.ts';

const DIALS = 100_000;
/** Nobody listens on tcpmux (RFC 1078), whatever the loopback address. */
const DEAD = ['127.0.0.1:1', '127.0.0.2:1', '127.0.0.3:1'];

export const dials: Demand = {
  name: 'dials',
  title: `${DIALS} dials that are refused, ${DEAD.length} for each handshake`,
  openFiles: 500,
  async run(task) {
    const { findings } = task;
    const subject = await Subject.start(
      task,
      `
listeners: [{ name: test, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
routes:
  - { name: dead, match: { path: /dead }, upstream: dead }
  - { name: good, match: { path: /good }, upstream: "builtin:echo" }
upstreams:
  dead:
    retries: ${DEAD.length - 1}
    retry_budget: off
    health: { passive: off }
    targets: [${DEAD.map((address) => `{ url: "ws://${address}" }`).join(', ')}]
`,
    );
    const handshakes = Math.ceil(task.size(DIALS, 300) / DEAD.length);
    const heads = [{ bytes: upgradeRequest({ path: '/dead' }).toString('latin1') }];
    const { answers, before, after, checkLines } = await flood(task, {
      subject,
      heads,
      count: handshakes,
      goodPath: '/good',
    });
    findings.equal('answers', answers[0], { '502 backend_unreachable': handshakes });
    const grown = (name: string, labels: Record<string, string>) => after.sum(name, labels) - before.sum(name, labels);
    const perTarget = DEAD.map((target) => grown('target_dials_total', { target, result: 'backend_unreachable' }));
    findings.equal('target_dials_total of each target', perTarget, Array(DEAD.length).fill(handshakes));
    const counted = grown('handshakes_total', { route: 'dead', result: 'backend_unreachable' });
    findings.equal('handshakes_total', counted, handshakes);
    findings.equal('sessions on the targets', after.sum('target_sessions', { upstream: 'dead' }), 0);
    await checkLines('handshake.refused', 1);
    await checkLines('target.dial_failed', DEAD.length - 1);
  },
};
