// A hundred restarts one behind the other, under sessions that stay until they are told to go and clients that come and
// leave all the time, on TCP, TLS and unix listeners.

import { join } from 'node:path';
import { makeCertificates } from '../support/certs.ts';
import { Generations } from '../support/generations.ts';
import { CountingBackend, RestartTraffic } from '../support/restart-traffic.ts';
import { countsOf, type Demand } from './demand.ts';

const RESTARTS = 100;
const SESSIONS = 2000;
const ARRIVALS = 500;
const SAY_EVERY_MS = 500;
const SPREAD_MS = 1_000;
const SHOWN_MAX = 5;

export const restart: Demand = {
  name: 'restart',
  title: `${RESTARTS} restarts under ${SESSIONS} sessions and ${ARRIVALS} new connections a second, on three listeners`,
  // Clients and backends are in one process, twice as many while all come again.
  openFiles: 4 * SESSIONS + 1_000,
  async run({ findings, size, atEnd }) {
    const [restarts, sessions, arrivals] = [size(RESTARTS, 3), size(SESSIONS, 30), size(ARRIVALS, 20)];
    const { good, ca } = await makeCertificates();
    const backend = new CountingBackend();
    atEnd(() => backend.close());
    const config = `
listeners:
  - { name: tcp, address: 127.0.0.1:0 }
  - { name: tls, address: 127.0.0.1:0, tls: { certificates: [{ cert: c.pem, key: k.pem }] } }
  - { name: unix, address: unix:data.sock }
routes: [{ upstream: back }]
upstreams: { back: { targets: [{ url: "${await backend.listen()}" }] } }
limits: { handshakes_per_second_per_ip: off }
timeouts: { handshake: 60s, connect: 60s, upgrade: 60s, open: 2m }
log: { lines_per_second: 100000 }
admin: { address: unix:admin.sock }
drain: { spread: ${SPREAD_MS}ms }
`;
    const files = { 'c.pem': good.cert, 'k.pem': good.key };
    const framegate = new Generations(config, { deadlineMs: 60_000 }, files);
    // Nothing outlives this process, also when it is interrupted.
    const end = () => framegate.end();
    process.on('exit', end);
    atEnd(() => {
      end();
      process.off('exit', end);
    });
    const [tcp, tls] = [await framegate.port('tcp'), await framegate.port('tls')];
    await framegate.ready();
    const entrances = [
      { base: `ws://127.0.0.1:${tcp}`, options: {} },
      { base: `wss://127.0.0.1:${tls}`, options: { ca } },
      { base: `ws+unix://${join(framegate.folder, 'data.sock')}:`, options: {} },
    ];
    const traffic = new RestartTraffic(backend, entrances, SAY_EVERY_MS);
    traffic.start(Math.ceil(sessions / entrances.length), 0);
    traffic.arrive(arrivals);
    for (let i = 0; i < restarts; i++) {
      await framegate.restart();
      // The next one begins when all who were told have had the time to come again.
      await framegate.left(i + 1);
    }
    await traffic.stop();
    const ended = framegate.cli.logs.filter(({ event }) => event === 'drain.end');
    findings.equal('restarts that were over in time', ended.length, restarts);
    findings.equal('sessions that were cut off', sum(ended.map(({ cut }) => Number(cut))), 0);
    findings.equal('what should not have been, the first of it', traffic.faults.slice(0, SHOWN_MAX), []);
    findings.equal('how many of that', traffic.faults.length, 0);
    const stayed = restarts * sessions;
    findings.check('sessions that were told 1012', traffic.told >= stayed, `${traffic.told}, at least ${stayed}`);
    const took = framegate.cli.logs.filter(({ event, ok }) => event === 'restart.end' && ok === true);
    findings.equal('processes that took over', took.length, restarts);
    const ms = took.map((line) => Number(line.ms)).sort((a, b) => a - b);
    findings.figure('ready after', `${ms[ms.length >> 1]} ms in the middle, ${ms.at(-1)} ms at most`);
    const refused = framegate.cli.logs.filter(({ event }) => event === 'handshake.refused');
    const causes = refused.map(({ error, cause }) => `${error} ${cause ?? ''}`.trim());
    findings.figure('handshakes that were refused', JSON.stringify(countsOf(causes)));
    findings.figure('sessions that opened', String(traffic.opened));
  },
};

function sum(numbers: readonly number[]): number {
  return numbers.reduce((one, other) => one + other, 0);
}
