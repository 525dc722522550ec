import { describe, expect, test } from 'vitest';
import { DialError } from '../../src/net/dial-error.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import type { MemoryTransport } from '../support/memory-transport.ts';
import { closeFrame, upgradeRequest } from '../support/wire.ts';
import { Rig, SWITCHED } from './rig.ts';

/** The first failure of `one` ejects it; the other target is a backup that nobody asks for. */
function rigOf(passive = {}, over: Partial<ConfigInput> = {}): Rig {
  const targets = [
    { name: 'one', url: 'ws://192.0.2.1:1' },
    { name: 'two', url: 'ws://192.0.2.2:1', max_sessions: 1, backup: true },
  ];
  return new Rig({
    upstreams: { u: { targets, retries: 0, health: { passive: { failures: 1, ...passive } } } },
    routes: [{ name: 'echo', upstream: 'u' }],
    ...over,
  });
}

const stateOf = (rig: Rig) => {
  const target = rig.target();
  return target.isTrialDue ? 'due' : target.status(rig.clock.now()).state;
};

/** A client whose handshake has reached the backend. */
async function asked(rig: Rig, address = ''): Promise<{ client: MemoryTransport; backend: MemoryTransport }> {
  const at = rig.backends.length;
  const client = rig.connect(upgradeRequest({ path: '/echo' }), address);
  await rig.until(() => (rig.backends[at]?.receivedBytes ?? 0) > 0);
  return { client, backend: rig.backends[at] as MemoryTransport }; // waited for
}

/** One that has become a session. */
async function opened(rig: Rig): Promise<{ client: MemoryTransport; backend: MemoryTransport }> {
  const pair = await asked(rig);
  await rig.switchBackend(rig.backends.length - 1);
  expect(await rig.answer(pair.client)).toBe(SWITCHED);
  return pair;
}

function say(backend: MemoryTransport, status: string): void {
  backend.send(Buffer.from(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`));
  backend.pump();
}

describe('a target is ejected', () => {
  test.each([
    ['backend_unreachable', 'ejected'],
    ['backend_dns', 'ejected'],
    ['backend_tls', 'ejected'],
    ['backend_timeout', 'ejected'],
    ['no_descriptor', 'up'],
    ['no_local_port', 'up'],
  ] as const)('by a dial that failed with %s: %s', async (code, state) => {
    const rig = rigOf();
    rig.dialer.failures.push(Promise.resolve(new DialError(code, 'WHY', 'why')));
    await rig.answer(rig.connect());
    expect(stateOf(rig)).toBe(state);
  });

  test.each([
    ['501 Not Implemented', 'up'],
    ['502 Bad Gateway', 'ejected'],
    ['504 Gateway Timeout', 'ejected'],
    ['505 HTTP Version Not Supported', 'up'],
    ['403 Forbidden', 'up'],
    ['200 OK', 'ejected'],
    ['101 Switching Protocols', 'ejected'],
  ])('by an answer of %s: %s', async (status, state) => {
    const rig = rigOf();
    const { client, backend } = await asked(rig);
    say(backend, status);
    await rig.answer(client);
    expect(stateOf(rig)).toBe(state);
  });

  test('by no answer within timeouts.upgrade', async () => {
    const rig = rigOf();
    const { client } = await asked(rig);
    rig.pass(10_001);
    expect(await rig.answer(client)).toBe('HTTP/1.1 504 Gateway Timeout');
    expect(stateOf(rig)).toBe('ejected');
  });

  test.each([
    [2_000, 'ejected'],
    [2_001, 'up'],
  ])('by none within timeouts.open, when it was asked for half of it: after %i of 4000 ms %s', async (ms, state) => {
    const rig = rigOf({}, { timeouts: { open: '4s' }, limits: { max_handshakes: 1 } });
    // The first one is in the way, and leaves.
    const first = await asked(rig);
    const second = rig.connect();
    rig.pass(ms);
    first.client.rst();
    first.client.pump();
    await rig.until(() => rig.backends.length === 2);
    rig.pass(4_000 - ms);
    expect(await rig.answer(second)).toBe('HTTP/1.1 504 Gateway Timeout');
    expect(stateOf(rig)).toBe(state);
  });

  test.each([
    [1_999, 'ejected'],
    [2_000, 'up'],
  ])('by a session whose backend breaks off after %i ms: %s', async (ms, state) => {
    for (const how of ['fin', 'rst'] as const) {
      const rig = rigOf();
      const { backend } = await opened(rig);
      rig.pass(ms);
      backend[how]();
      backend.pump();
      rig.pass(200);
      expect(stateOf(rig), how).toBe(state);
    }
  });

  test('by a session whose backend breaks the protocol', async () => {
    const rig = rigOf();
    const { client, backend } = await opened(rig);
    backend.send(Buffer.from('HTTP/1.1 500 sorry'));
    backend.pump();
    expect(stateOf(rig)).toBe('ejected');
    expect(client.destroyed).toBe(false);
  });

  test('not by a client that leaves: before the 101, or early in its session', async () => {
    for (const begin of [asked, opened]) {
      for (const how of ['fin', 'rst'] as const) {
        const rig = rigOf();
        const { client } = await begin(rig);
        client[how]();
        client.pump();
        rig.pass(10_000);
        expect(rig.edge.metrics.target('u', 'one').ejections).toBe(0);
      }
    }
  });

  test('not by a backend that closes as it should', async () => {
    const rig = rigOf();
    const { client, backend } = await opened(rig);
    backend.send(closeFrame(1013));
    backend.pump();
    client.send(closeFrame(1013, '', { mask: true }));
    client.pump();
    rig.pass(1_000);
    expect(stateOf(rig)).toBe('up');
  });

  test('by bad answers to several clients only', async () => {
    const rig = rigOf({ failures: 2 });
    for (const address of ['192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.2']) {
      expect(stateOf(rig)).toBe('up');
      const { client, backend } = await asked(rig, address);
      say(backend, '502 Bad Gateway');
      await rig.answer(client);
    }
    expect(stateOf(rig)).toBe('ejected');
  });
});

describe('the trial of an ejected target', () => {
  async function due(): Promise<Rig> {
    const rig = rigOf();
    rig.target().watch?.dialFailed(0);
    rig.pass(30_000);
    expect(stateOf(rig)).toBe('due');
    return rig;
  }

  test('is one session; who comes meanwhile goes elsewhere, and those behind it go there again', async () => {
    const rig = await due();
    const trial = await asked(rig);
    const other = await asked(rig);
    expect([rig.target(0).sessions, rig.target(1).sessions]).toEqual([1, 1]);
    expect(await rig.answer(rig.connect())).toBe('HTTP/1.1 503 Service Unavailable');
    await rig.switchBackend(0);
    await rig.answer(trial.client);
    rig.pass(1_999);
    expect(stateOf(rig)).toBe('ejected');
    rig.pass(1);
    expect(stateOf(rig)).toBe('up');
    expect(other.client.destroyed).toBe(false);
    await opened(rig);
  });

  test.each(['rst', 'fin'] as const)('is due again when its client leaves before the 101 (%s)', async (how) => {
    const rig = await due();
    const { client } = await asked(rig);
    expect(stateOf(rig)).toBe('ejected');
    client[how]();
    client.pump();
    rig.pass(1);
    expect(stateOf(rig)).toBe('due');
  });

  test('is due again when its client is lost early', async () => {
    const rig = await due();
    const { client } = await opened(rig);
    client.rst();
    client.pump();
    rig.pass(1_000);
    rig.backends[0]?.fin();
    rig.backends[0]?.pump();
    expect(stateOf(rig)).toBe('due');
  });

  test('is good when its client closes early and its backend answers; else it is due again', async () => {
    for (const isAnswered of [true, false]) {
      const rig = await due();
      const { client, backend } = await opened(rig);
      client.send(closeFrame(1000, '', { mask: true }));
      client.pump();
      if (isAnswered) {
        backend.send(closeFrame(1000));
        backend.fin();
        backend.pump();
        client.fin();
        client.pump();
      }
      rig.pass(1_999);
      rig.pass(60_000);
      expect(stateOf(rig)).toBe(isAnswered ? 'up' : 'due');
    }
  });

  test('fails when its backend breaks off early', async () => {
    const rig = await due();
    const { backend } = await opened(rig);
    backend.rst();
    backend.pump();
    rig.pass(200);
    expect(stateOf(rig)).toBe('ejected');
    rig.pass(59_799);
    expect(stateOf(rig)).toBe('ejected');
    rig.pass(1);
    expect(stateOf(rig)).toBe('due');
  });
});
