// The admin listener of several processes: what it shows is what one process would show of the same traffic.

import { describe, expect, test } from 'vitest';
import type { StatusView } from '../../src/admin/subject.ts';
import type { Advice } from '../../src/observe/advice.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import { type RunningProxy, startProxy } from '../support/harness.ts';
import { RawClient } from '../support/raw-client.ts';
import { startFleet } from './fleet-rig.ts';
import { askAdmin } from './operating.ts';
import { connectWs, type Inbox } from './ws-pair.ts';

const config: ConfigInput = {
  listeners: [{ name: 'test', address: '127.0.0.1:0' }],
  routes: [
    {
      name: 'chat',
      match: { path: '/chat' },
      upstream: 'app',
      limits: { max_sessions: 50, from_client: { max_message_size: '1KiB' } },
    },
    { name: 'news', match: { path: '/news' }, upstream: 'app' },
    { name: 'idle', match: { path: '/idle' }, upstream: 'app' },
  ],
  upstreams: { app: { targets: [{ name: 'one', url: 'builtin:echo' }] } },
  drain: { spread: '0s' },
  record: { frames: 4 },
  admin: { address: '127.0.0.1:0' },
};

/** It stands: what lasts lasts as long on one process as on several. */
const clock = { now: () => 5_000 };
const about = { version: '1.2.3', node: 'v20.0.0', pid: 7, config: 'x.yaml' };

/** The same steps, each on the proxy that `pick` gives for it. Resolves with who is still there. */
async function traffic(pick: (step: number) => RunningProxy): Promise<Inbox[]> {
  const open: Inbox[] = [];
  for (let step = 0; step < 8; step += 1) {
    const { port } = pick(step);
    const path = step % 3 === 0 ? '/news' : '/chat';
    const client = await connectWs(port, { path, perMessageDeflate: false });
    for (const size of [1, 50, 300, 100 + step]) {
      client.socket.send(size % 2 === 0 ? Buffer.alloc(size) : 'x'.repeat(size));
      await client.next();
    }
    if (step === 1 || step === 2) client.socket.send(Buffer.alloc(1025 + step));
    else if (step < 5) client.socket.close(step === 3 ? 4001 : 1000);
    else open.push(client);
    if (step < 5) await client.closed();
    await expect(connectWs(port, { path: '/none' })).rejects.toThrow('404');
    const plain = await RawClient.connect(port);
    plain.send(`GET /${step === 4 ? 'chat' : 'none'} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    await plain.closed;
  }
  return open;
}

async function endsSeen(proxies: readonly RunningProxy[], count: number): Promise<void> {
  const seen = () => proxies.reduce((sum, { logsOf }) => sum + logsOf('session.end').length, 0);
  while (seen() < count) await new Promise((resolve) => setImmediate(resolve));
}

/** Samples by family and labels. The order of the lines of a family is that in which they were first counted. */
function samplesOf(text: string): string[] {
  const own = /^framegate_(config_last_reload_success_timestamp|workers|worker_|target_sessions\{)/;
  return text
    .split('\n')
    .filter((line) => !line.startsWith('#') && !own.test(line))
    .sort();
}

/** Without what differs between any two proxies, and the workers. */
function plainStatus(json: unknown): object {
  const { config: _config, workers: _workers, listeners, refusals, ...rest } = json as StatusView;
  return { ...rest, refusals, connections: listeners.map(({ connections }) => connections) };
}

function routesOf(json: unknown): unknown {
  return (json as Advice).routes;
}

/** What is on a target now only the primary counts, which has none of the sessions here. */
function withoutHolds(body: string): string {
  return body.replace(/"(sessions|sessions_total|share)":[0-9.]+/g, '');
}

describe('the same traffic on one process and on two', () => {
  test('shows the same status, metrics, advice and counts', async () => {
    const solo = await startProxy(config, { clock, about });
    const several = await startFleet(config, 2, { clock, about });
    const { primary, workers } = several;
    await traffic(() => solo);
    await traffic((step) => workers[step % 2]?.running ?? primary);
    await endsSeen([solo], 5);
    await endsSeen(
      workers.map(({ running }) => running),
      5,
    );
    const both = async (path: string) => {
      const [one, two] = [await askAdmin(solo, `GET ${path}`), await askAdmin(primary, `GET ${path}`)];
      expect([one.status, two.status]).toEqual([200, 200]);
      return [one, two] as const;
    };
    const [one, two] = await both('/metrics');
    expect(samplesOf(two.body)).toEqual(samplesOf(one.body));
    expect(two.body).toContain('framegate_session_ends_total{route="chat",by="client",reason="client_message_too_big"');
    expect(two.body).toContain('\nframegate_workers 2\n');
    const status = await both('/api/v1/status');
    expect(plainStatus(status[1].json)).toEqual(plainStatus(status[0].json));
    expect(status[1].json).toMatchObject({
      workers: [
        { worker: 1, pid: 101, state: 'ready', sessions: 1, memory_bytes: 0 },
        { worker: 2, pid: 102, state: 'ready', sessions: 2, memory_bytes: 0 },
      ],
    });
    const advice = await both('/api/v1/advice');
    expect(routesOf(advice[1].json)).toEqual(routesOf(advice[0].json));
    const upstreams = await both('/api/v1/upstreams');
    expect(withoutHolds(upstreams[1].body)).toEqual(withoutHolds(upstreams[0].body));
  });
});
