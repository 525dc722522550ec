// An event loop that stands still for over a second in every turn: timeouts fire all the same, a few turns late, and
// who speaks meanwhile is not cut off.

import { once } from 'node:events';
import * as net from 'node:net';
import type { Demand } from '../scale/demand.ts';
import { PeerSocket } from '../scale/peer-socket.ts';
import { Backends } from '../scale/peers.ts';
import { Subject } from '../scale/subject.ts';
import { text } from '../support/wire.ts';

const STALL_MS = 1_100;
const HANDSHAKE_MS = 2_000;
const DRAIN_MS = 3_000;
/** A deadline is seen in the turn behind it, waits for one more, and acts in a turn of its own; and a busy machine. */
const LATE_MS = 4 * STALL_MS + 2_000;
/** Begins on a signal that nobody else listens to, so that the start is not held up. */
const SCRIPT = `data:text/javascript,${encodeURIComponent(`
  const block = () => {
    const until = performance.now() + ${STALL_MS};
    while (performance.now() < until);
    setImmediate(block);
  };
  process.once('SIGWINCH', block);
`)}`;

export const stalls: Demand = {
  name: 'stalls',
  title: 'an event loop that stands still for 1.1 s in every turn: a handshake, a drain, and a session that speaks',
  openFiles: 100,
  async run(task) {
    const { findings } = task;
    const port = await new Backends(task).listen();
    const subject = await Subject.start(
      task,
      `
listeners: [{ name: test, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
routes: [{ name: all, upstream: "ws://127.0.0.1:${port}" }]
timeouts: { handshake: ${HANDSHAKE_MS}ms, idle: 4s, client_ping_interval: 2s, pong: 2s, close: 60s }
drain: { delay: 0s, grace: 0s, spread: 0s, timeout: ${DRAIN_MS}ms }
`,
      { flags: ['--import', SCRIPT] },
    );
    const speaker = await PeerSocket.open(subject.port, '/numbers/stalls');
    let messages = 0;
    const speaking = setInterval(() => {
      speaker.write(text(String(messages), { mask: true }));
      messages += 1;
    }, 500);
    task.atEnd(() => {
      clearInterval(speaking);
      speaker.socket.destroy();
    });
    subject.cli.signal('SIGWINCH');

    const late = net.connect({ port: subject.port, host: '127.0.0.1' });
    task.atEnd(() => void late.destroy());
    const connectedAt = performance.now();
    late.write('GET / HTTP/1.1\r\n');
    const [answer] = await once(late, 'data', { signal: AbortSignal.timeout(5 * LATE_MS) });
    const handshakeMs = Math.round(performance.now() - connectedAt);
    findings.equal('a head that does not end', String(answer).split('\r\n')[0], 'HTTP/1.1 408 Request Timeout');
    findings.check(
      `it is refused within ${HANDSHAKE_MS} + ${LATE_MS} ms`,
      handshakeMs <= HANDSHAKE_MS + LATE_MS,
      `${handshakeMs} ms`,
    );
    findings.check('who speaks is not cut off', speaker.ended === null, `${messages} messages sent`);

    // It answers no Close.
    const drainedAt = performance.now();
    subject.cli.signal('SIGTERM');
    const { code } = await subject.cli.exit();
    const drainMs = Math.round(performance.now() - drainedAt);
    findings.equal('exit code', code, 0);
    findings.check(`it drains within ${DRAIN_MS} + ${LATE_MS} ms`, drainMs <= DRAIN_MS + LATE_MS, `${drainMs} ms`);
  },
};
