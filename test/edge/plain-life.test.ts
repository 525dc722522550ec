// The life of a connection of plain requests: how long it waits, when it closes, and what a client's leaving does.

import { describe, expect, test } from 'vitest';
import { LiveListener } from '../../src/edge/arrival.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import { MemoryTransport } from '../support/memory-transport.ts';
import { ConnectionRig, get, say } from './connection-rig.ts';

const TIMES: Partial<ConfigInput> = { timeouts: { keep_alive: '5s', handshake: '2s' } };
const with_ = (limits: ConfigInput['limits']): Partial<ConfigInput> => ({ limits: limits ?? {} });
const post = (body: string) =>
  Buffer.from(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body}`, 'latin1');
const closings = (client: MemoryTransport) =>
  client.received.toString('latin1').match(/^Connection: close\r$/gim)?.length ?? 0;

describe('an idle connection', () => {
  test('is closed at keep_alive, counted from its last answer; no answer is made up', async () => {
    const rig = new ConnectionRig(TIMES);
    const client = await rig.idle();
    rig.pass(4_999);
    expect(client.destroyed).toBe(false);
    const before = client.receivedBytes;
    rig.pass(2);
    expect([client.destroyed, client.receivedBytes]).toEqual([true, before]);
    rig.atRest();
  });

  test('has what a reload says, counted from the same moment', async () => {
    const rig = new ConnectionRig(TIMES);
    const [one, two] = [await rig.idle(), await rig.idle()];
    rig.pass(3_000);
    rig.sends(two, get());
    await rig.serve('two');
    await rig.gets(two, 'two');
    await rig.turns(3);
    rig.reload({ ...rig.config, timeouts: { keep_alive: '4s' } });
    rig.pass(999);
    expect(one.destroyed).toBe(false);
    rig.pass(2);
    expect([one.destroyed, two.destroyed]).toEqual([true, false]);
    rig.reload({ ...rig.config, timeouts: { keep_alive: '1s' } });
    rig.pass(1);
    expect(two.destroyed).toBe(true);
  });

  test('off: it waits', async () => {
    const rig = new ConnectionRig({ timeouts: { keep_alive: 'off' } });
    const client = await rig.idle();
    rig.pass(86_400_000);
    expect(client.destroyed).toBe(false);
  });
});

describe('a later head', () => {
  test('has timeouts.handshake from its first byte, however long it was idle', async () => {
    const rig = new ConnectionRig(TIMES);
    const client = await rig.idle();
    rig.pass(4_000);
    rig.sends(client, get().subarray(0, 3));
    rig.pass(1_999);
    rig.sends(client, get().subarray(3, 6));
    expect(rig.statuses(client)).toEqual(['200']);
    rig.pass(2);
    await rig.until(() => client.finSent);
    expect(rig.statuses(client)).toEqual(['200', '408']);
    expect(rig.requests().at(-1)).toEqual([408, 'handshake_timeout']);
  });

  test('that began while a request was served has it from then on, and is not idle', async () => {
    const rig = new ConnectionRig(TIMES);
    const client = rig.connect(get());
    await rig.asked();
    rig.sends(client, get().subarray(0, 9));
    rig.pass(1_500);
    say(rig.backends[0] as MemoryTransport, 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    await rig.until(() => rig.statuses(client).length === 1);
    await rig.turns(3);
    expect(rig.edge.plain.idleOnes).toEqual([]);
    rig.pass(501);
    await rig.until(() => client.finSent);
    expect(rig.statuses(client)).toEqual(['200', '408']);
  });

  test('has the deadline of a reload at once', async () => {
    const rig = new ConnectionRig(TIMES);
    const client = await rig.idle();
    rig.sends(client, get().subarray(0, 3));
    rig.reload({ ...rig.config, timeouts: { handshake: '1s' } });
    rig.pass(1_001);
    expect(rig.statuses(client)).toEqual(['200', '408']);
  });
});

describe('behind the last answer', () => {
  test('what still comes is read for 2 s or 256 KiB, and nothing of it is served', async () => {
    const rig = new ConnectionRig();
    const [slow, fast] = [rig.connect(get('/', 'Host: b')), rig.connect(get('/', 'Host: b'))];
    await rig.until(() => slow.finSent && fast.finSent);
    for (let i = 0; i < 4; i += 1) rig.sends(fast, Buffer.alloc(65_536, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'));
    expect(fast.destroyed).toBe(false);
    rig.sends(fast, Buffer.from('x'));
    rig.pass(1_999);
    expect([slow.destroyed, fast.destroyed]).toEqual([false, true]);
    rig.pass(2);
    expect([slow.destroyed, rig.backends.length]).toEqual([true, 0]);
    rig.atRest();
  });
});

describe('limits.max_requests_per_connection', () => {
  test.each([1, 2, 3])('%i: with the answer to that one it closes', async (most) => {
    const rig = new ConnectionRig(with_({ max_requests_per_connection: most }));
    const client = rig.connect(Buffer.concat(Array.from({ length: 5 }, () => get())));
    for (let i = 1; i <= most; i += 1) {
      expect(closings(client)).toBe(0);
      await rig.serve(`[${i}]`);
      await rig.gets(client, `[${i}]`);
    }
    await rig.turns(5);
    expect([closings(client), client.finSent, rig.backends.length]).toEqual([1, true, most]);
  });

  test('off: it stays', async () => {
    const rig = new ConnectionRig(with_({ max_requests_per_connection: 'off' }));
    const client = await rig.idle();
    expect([closings(client), client.finSent]).toEqual([0, false]);
  });
});

describe('a drain', () => {
  test('closes idle ones; what is under way ends, and says that it is the last', async () => {
    const rig = new ConnectionRig();
    const idle = await rig.idle();
    const busy = rig.connect(Buffer.concat([get('/busy'), get('/behind')]));
    const backend = await rig.asked();
    for (const connection of [...rig.edge.connections]) connection.drain(0);
    expect([idle.destroyed, busy.destroyed]).toEqual([true, false]);
    say(backend, 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbusy');
    await rig.gets(busy, 'busy');
    await rig.until(() => busy.finSent);
    expect([closings(busy), rig.backends.length]).toEqual([1, 2]);
  });

  test('an answer whose head is out goes on, and closes when it ends', async () => {
    const rig = new ConnectionRig();
    const client = rig.connect(get());
    const backend = await rig.asked();
    say(backend, 'HTTP/1.1 200 OK\r\n\r\ndata: 1\n\n');
    await rig.gets(client, 'data: 1\n\n\r\n');
    for (const connection of [...rig.edge.connections]) connection.drain(0);
    say(backend, 'data: 2\n\n');
    await rig.gets(client, 'data: 2\n\n\r\n');
    expect(client.finSent).toBe(false);
    backend.fin();
    backend.pump();
    await rig.until(() => client.finSent);
    expect(client.received.toString('latin1')).toMatch(/\r\n0\r\n\r\n$/);
  });

  test('a request that comes when nobody is let in any more is 503 draining', async () => {
    const rig = new ConnectionRig();
    const client = await rig.idle();
    rig.edge.refusing = true;
    rig.sends(client, get());
    await rig.until(() => client.finSent);
    expect(rig.requests().at(-1)).toEqual([503, 'draining']);
  });
});

describe('a reload', () => {
  const only = (path: string) => [{ name: 'pages', match: { path }, http: 'http://192.0.2.1:1' }];

  test('a request under way goes on, the next one finds what is in force', async () => {
    const rig = new ConnectionRig();
    const client = rig.connect(Buffer.concat([get('/a'), get('/a')]));
    const backend = await rig.asked();
    rig.reload({ routes: only('/b') });
    say(backend, 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na');
    await rig.until(() => client.finSent);
    expect([rig.statuses(client), rig.requests()]).toEqual([
      ['200', '404'],
      [[200], [404, 'no_route']],
    ]);
  });

  test('that drained its route: the same, with 503', async () => {
    const rig = new ConnectionRig();
    const client = rig.connect(Buffer.concat([get('/a'), get('/a')]));
    const backend = await rig.asked();
    rig.route('pages').draining = true;
    for (const connection of [...rig.edge.connections]) connection.lookAgain();
    say(backend, 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na');
    await rig.until(() => client.finSent);
    expect(rig.statuses(client)).toEqual(['200', '503']);
  });

  test('that took its listener away: idle ones close, busy ones with their answer', async () => {
    const rig = new ConnectionRig();
    const gone = new LiveListener(rig.edge.snapshot.config.listeners[0] as never, 1);
    const clients = [1, 2].map(() => new MemoryTransport({ name: 'client', stable: true }));
    const [idle, busy] = clients as [MemoryTransport, MemoryTransport];
    rig.edge.accept(idle, gone);
    rig.edge.accept(busy, gone);
    rig.sends(idle, get());
    await rig.serve();
    await rig.gets(idle, 'ok');
    await rig.turns(3);
    rig.sends(busy, get());
    const backend = await rig.asked();
    gone.isGone = true;
    for (const one of rig.edge.plain.idleOnes) one.retune();
    expect([idle.destroyed, busy.destroyed]).toEqual([true, false]);
    say(backend, 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na');
    await rig.until(() => busy.finSent);
    expect([rig.statuses(busy), closings(busy)]).toEqual([['200'], 1]);
  });
});

describe('a client that leaves', () => {
  const stages: Record<string, (rig: ConnectionRig) => Promise<MemoryTransport>> = {
    idle: (rig) => rig.idle(),
    'in a later head': async (rig) => {
      const client = await rig.idle();
      rig.sends(client, get().subarray(0, 9));
      return client;
    },
    'waiting for its answer': async (rig) => {
      const client = rig.connect(get());
      await rig.asked();
      return client;
    },
    'in its body': async (rig) => {
      const client = rig.connect(post('1\r\n'));
      await rig.asked();
      return client;
    },
    'in an answer': async (rig) => {
      const client = rig.connect(get());
      say(await rig.asked(), 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc');
      await rig.gets(client, 'abc');
      return client;
    },
    'with others in line': async (rig) => {
      const client = rig.connect(Buffer.concat(Array.from({ length: 20 }, () => get())));
      await rig.asked();
      return client;
    },
    'behind a refusal': async (rig) => {
      const client = rig.connect(get('/', 'Host: b'));
      await rig.until(() => client.finSent);
      return client;
    },
  };

  test.each(Object.keys(stages).flatMap((stage) => [[stage, 'fin'] as const, [stage, 'rst'] as const]))(
    '%s by %s: its connection and that of the backend end at once, and nothing stays',
    async (stage, how) => {
      const rig = new ConnectionRig();
      const client = await (stages[stage] as (rig: ConnectionRig) => Promise<MemoryTransport>)(rig);
      client[how]();
      client.pump();
      await rig.turns(3);
      expect(client.destroyed).toBe(true);
      expect(rig.backends.every(({ destroyed }) => destroyed)).toBe(true);
      rig.atRest();
    },
  );
});

describe('what is not HTTP', () => {
  const long = `X-Long: ${'a'.repeat(20_000)}\r\n`;

  test.each([
    ['a later head', 'GET / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n', '400', 'header_name'],
    ['a later head that is too large', `GET / HTTP/1.1\r\nHost: a\r\n${long}${long}\r\n`, '431', 'head_too_large'],
    [
      'CL with TE',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      '400',
      'transfer_encoding',
    ],
  ])('%s: refused, and nothing behind it is served', async (_, request, status, error) => {
    const rig = new ConnectionRig();
    const client = await rig.idle();
    rig.sends(client, Buffer.from(request), get('/never'));
    await rig.until(() => client.finSent);
    expect([rig.statuses(client), rig.backends.length]).toEqual([['200', status], 1]);
    expect(rig.requests().at(-1)?.slice(0, 2)).toEqual([Number(status), error]);
  });

  test.each([
    ['a chunk', 'zz\r\n', '400'],
    ['trailers', `0\r\n${long}${long}\r\n`, '431'],
    ['a chunk extension', `1;${'x'.repeat(40_000)}\r\na\r\n`, '400'],
  ])('%s in a body: refused before its answer, cut off behind its head', async (_, bad, status) => {
    const rig = new ConnectionRig();
    const [before, behind] = [rig.connect(post('1\r\na\r\n')), rig.connect(post('1\r\na\r\n'))];
    await rig.until(() => rig.backends.length === 2 && rig.backends.every(({ receivedBytes }) => receivedBytes > 0));
    rig.sends(before, Buffer.from(bad));
    await rig.until(() => before.finSent);
    expect(rig.statuses(before)).toEqual([status]);
    const answering = rig.backends.find(({ destroyed }) => !destroyed) as MemoryTransport;
    say(answering, 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc');
    await rig.gets(behind, 'abc');
    rig.sends(behind, Buffer.from(bad));
    await rig.turns(3);
    expect([behind.destroyed, rig.statuses(behind), answering.destroyed]).toEqual([true, ['200'], true]);
  });
});

test('health as a later request is answered, with what it says now', async () => {
  const rig = new ConnectionRig({ listeners: [{ name: 'in', health_path: '/healthz' }] });
  const [ready, draining] = [await rig.idle(), await rig.idle()];
  rig.sends(ready, get('/healthz'));
  await rig.gets(ready, '{"status":"ready"}');
  rig.edge.draining = true;
  rig.sends(draining, get('/healthz'));
  await rig.gets(draining, '{"status":"draining"}');
  expect([ready.finSent, rig.requests().length]).toEqual([true, 2]);
});
