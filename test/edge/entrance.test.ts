// A connection before its head, without sockets: whatever goes wrong on its way to TLS, it gives back what it took.

import { expect, test } from 'vitest';
import { makeAuthority } from '../support/certs.ts';
import { clientHello } from '../support/client-hello.ts';
import { Rig } from './rig.ts';

test('a fault of ours when TLS is begun ends the connection, and its turn goes back', async () => {
  const certificate = await (await makeAuthority()).issue({ dns: ['a.test'] });
  const rig = new Rig({ listeners: [{ name: 'in', address: '127.0.0.1:0', tls: { certificates: [certificate] } }] });
  // What is in memory has no socket that TLS could be made over.
  const client = rig.connect(clientHello({ name: 'a.test' }), '192.0.2.7');
  expect(client.destroyed).toBe(true);
  expect(rig.listener).toEqual([1, 0, {}]);
  expect(rig.edge.metrics.process.tlsHandshakesOpen).toBe(0);
  expect(rig.tap.lines.map(({ event }) => event)).toContain('handshake.fault');
});
