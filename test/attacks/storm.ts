// Thousands of clients at the same moment, as after a restart: all of them get in, with the limits as they are by
// default.

import { countsOf, type Demand } from '../scale/demand.ts';
import { PeerSocket } from '../scale/peer-socket.ts';
import { Backends } from '../scale/peers.ts';
import { Subject } from '../scale/subject.ts';

const CLIENTS = 4_000;
/** All of it; what is late is refused by framegate itself before that. */
const OPEN_MS = 15_000;

export const storm: Demand = {
  name: 'storm',
  title: `${CLIENTS} clients at once, with the limits of the default config`,
  openFiles: 2 * CLIENTS + 500,
  async run(task) {
    const { findings } = task;
    const backend = await new Backends(task).listen();
    const count = task.size(CLIENTS, 200);
    // In small the limits are as much smaller as the storm.
    const handshakes = Math.ceil(count / 4);
    const limits = task.isFull ? '{}' : `{ max_handshakes: ${handshakes}, max_waiting_handshakes: ${count} }`;
    const subject = await Subject.start(
      task,
      `
listeners: [{ name: test, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
routes: [{ name: test, upstream: "ws://127.0.0.1:${backend}" }]
limits: ${limits}
`,
    );
    const peers: PeerSocket[] = [];
    task.atEnd(() => {
      for (const { socket } of peers) socket.destroy();
    });
    const startedAt = performance.now();
    const came = async (index: number): Promise<string> => {
      try {
        peers.push(await PeerSocket.open(subject.port, `/echo/${index}`));
        return 'in';
      } catch (error) {
        return error instanceof Error ? error.message.replace(/^\S+: /, '') : 'failed';
      }
    };
    const answers = await Promise.all(Array.from({ length: count }, (_, index) => came(index)));
    const ms = performance.now() - startedAt;
    findings.equal('what became of them', countsOf(answers), { in: count });
    findings.check('within timeouts.open', ms < OPEN_MS, `${Math.round(ms)} ms`);
    const metrics = await subject.metrics();
    findings.equal('sessions', metrics.sum('sessions_open'), count);
    findings.equal('handshakes that wait, or are under way', waitingOf(metrics), 0);
  },
};

function waitingOf(metrics: Awaited<ReturnType<Subject['metrics']>>): number {
  return metrics.sum('handshakes_waiting') + metrics.sum('handshakes_open');
}
