// Restarts of the built command: the next process has the listening sockets, so nobody is refused, reset or loses a
// message; and where it does not come up, the old one goes on.

import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeCertificates } from '../support/certs.ts';
import { Generations } from '../support/generations.ts';
import { CountingBackend, RestartTraffic } from '../support/restart-traffic.ts';

test('3 restarts under load on TCP, TLS and unix: nobody is refused, no message lost, all are told 1012', async () => {
  const { good, ca } = await makeCertificates();
  const backend = new CountingBackend();
  const config = `
listeners:
  - { name: tcp, address: 127.0.0.1:0 }
  - { name: tls, address: 127.0.0.1:0, tls: { certificates: [{ cert: c.pem, key: k.pem }] } }
  - { name: unix, address: unix:data.sock }
routes: [{ upstream: back }]
upstreams: { back: { targets: [{ url: "${await backend.listen()}" }] } }
limits: { handshakes_per_second_per_ip: off }
admin: { address: unix:admin.sock }
drain: { spread: 300ms }
`;
  const framegate = new Generations(config, {}, { 'c.pem': good.cert, 'k.pem': good.key });
  const [tcp, tls] = [await framegate.port('tcp'), await framegate.port('tls')];
  const traffic = new RestartTraffic(backend, [
    { base: `ws://127.0.0.1:${tcp}`, options: {} },
    { base: `wss://127.0.0.1:${tls}`, options: { ca } },
    { base: `ws+unix://${join(framegate.folder, 'data.sock')}:`, options: {} },
  ]);
  traffic.start(4, 2);
  const pids = [Number(framegate.cli.child.pid)];
  for (let i = 0; i < 3; i++) pids.push(await framegate.restart());
  expect(await framegate.firstExit).toBe(0);
  let left = 0;
  await framegate.cli.waitForLog('drain.end', () => ++left === 3);
  await traffic.stop();
  expect(traffic.faults).toEqual([]);
  expect(traffic.told).toBeGreaterThanOrEqual(3 * 12);
  expect(new Set(pids).size).toBe(4);
});
