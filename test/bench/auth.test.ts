// The credentials that the load bench brings are good, and needed.

import { expect, test } from 'vitest';
import { AUTH_METHODS, asksService, methodUnderTest } from '../../bench/load/auth-methods.ts';
import { upgradeRequest } from '../../bench/load/frames.ts';
import { AuthServer, claims } from '../support/auth-server.ts';
import { oneRoute, startProxy } from '../support/harness.ts';
import { RawClient } from '../support/raw-client.ts';

const HOST = 'a.test';

test.each(AUTH_METHODS)('%s', async (name) => {
  const service = asksService(name) ? await AuthServer.listen(() => claims({ active: true, sub: 'bench' })) : null;
  const { method, fieldsFor } = methodUnderTest(name, service?.url ?? 'http://127.0.0.1:1/');
  const route = { auth: ['asked'], origins: ['same'], missing_origin: 'allow' as const };
  const { port } = await startProxy(oneRoute('builtin:echo', route, { auth: { asked: method } }));
  const statusWith = async (fields: string): Promise<number> => {
    const client = await RawClient.connect(port);
    client.send(upgradeRequest(HOST, '/', fields));
    return (await client.readHead()).status;
  };
  expect(await statusWith(fieldsFor(HOST))).toBe(101);
  // Whom that one asks lets everybody in.
  if (name !== 'forward') expect(await statusWith('')).toBe(401);
});
