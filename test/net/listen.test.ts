// Listening sockets, where they are bound by what another process holds.

import { createServer } from 'node:net';
import { expect, test, vi } from 'vitest';
import { bindServer } from '../../src/net/listen.ts';

test('a socket that was handed over keeps its backlog, which Node reads from no options beside a descriptor', () => {
  const server = createServer();
  const listen = vi.spyOn(server, 'listen').mockReturnValue(server);
  void bindServer(server, { kind: 'tcp', host: '127.0.0.1', port: 0 }, { backlog: 77, inherited: 3 });
  expect(listen.mock.calls[0]?.slice(0, 2)).toEqual([expect.objectContaining({ fd: 3 }), 77]);
});
