// What becomes of connections of plain requests when nobody is let in any more: by a drain, and by a reload that takes
// their listener away.

import { expect, test } from 'vitest';
import { FakeClock } from '../support/fake-clock.ts';
import { startProxy } from '../support/harness.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';

const GET = 'GET /pages HTTP/1.1\r\nHost: a\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

test('a reload: idle ones close, busy ones with their answer, and those of other listeners stay', async () => {
  const backend = await RawBackend.listen();
  const stays = { name: 'stays', address: '127.0.0.1:0' };
  const goes = { name: 'goes', address: 'localhost:0' };
  const routes = [{ name: 'pages', http: backend.url.replace('ws:', 'http:') }];
  const { proxy } = await startProxy({ listeners: [stays, goes], routes });
  const portOf = (name: string) => {
    const address = proxy.address(name);
    return typeof address === 'string' ? 0 : address.port;
  };
  const [kept, idle, busy] = [
    await RawClient.connect(portOf('stays')),
    await RawClient.connect(portOf('goes')),
    await RawClient.connect(portOf('goes')),
  ] as const;
  for (const client of [kept, idle, busy]) {
    client.send(GET);
    const asked = await backend.nextConnection();
    await asked.head();
    if (client !== busy) {
      asked.send(OK);
      expect((await client.readResponse()).head.field('connection')).toBe(undefined);
      continue;
    }
    expect((await proxy.reload({ listeners: [stays], routes })).ok).toBe(true);
    expect((await idle.closed).fin).toBe(true);
    asked.send(OK);
    const answer = await busy.readResponse();
    expect([answer.status, answer.head.field('connection')]).toEqual([200, 'close']);
    expect((await busy.closed).fin).toBe(true);
  }
  kept.send(GET);
  const again = await backend.nextConnection();
  await again.head();
  again.send(OK);
  expect((await kept.readResponse()).status).toBe(200);
});

test('a drain: during its delay the next answer is the last, behind that idle ones close at once', async () => {
  const backend = await RawBackend.listen();
  const clock = new FakeClock();
  const routes = [{ name: 'pages', http: backend.url.replace('ws:', 'http:') }];
  const drain = { delay: '1s', grace: '1h', timeout: '2h' } as const;
  const { proxy, port } = await startProxy({ routes, drain }, { clock });
  const [asking, idle] = [await RawClient.connect(port), await RawClient.connect(port)];
  const serve = async (client: RawClient) => {
    client.send(GET);
    const asked = await backend.nextConnection();
    await asked.head();
    asked.send(OK);
    return (await client.readResponse()).head.field('connection');
  };
  expect([await serve(asking), await serve(idle)]).toEqual([undefined, undefined]);
  const drained = proxy.drain();
  expect(await serve(asking)).toBe('close');
  expect((await asking.closed).fin).toBe(true);
  expect(idle.finSeen).toBe(false);
  clock.advance(1_001);
  expect((await idle.closed).fin).toBe(true);
  await drained;
});
