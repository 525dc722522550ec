// A config of a thousand routes: scraped, shown and reloaded, beside one session that is measured.

import { setTimeout as delay } from 'node:timers/promises';
import type { Demand } from '../scale/demand.ts';
import { Subject } from '../scale/subject.ts';
import { EchoMeter, echoText } from './echo-meter.ts';

const ROUTES = 1000;
const ROUNDS = 10;
/** No message may wait for longer. */
const STALL_MS = 50;
const VIEWS = ['/metrics', '/api/v1/status', '/api/v1/upstreams', '/api/v1/advice', '/api/v1/config'];

export const largeConfig: Demand = {
  name: 'large-config',
  title: `${ROUTES} routes scraped, shown and reloaded`,
  openFiles: 300,
  async run(task) {
    const routes = task.size(ROUTES, 100);
    const subject = await Subject.start(task, configText(routes, 60));
    const meter = await EchoMeter.open(task, subject.port, '/measured');
    const rounds = task.size(ROUNDS, 2);
    const quiet = await meter.during(() => delay(task.size(5_000, 500)));
    task.findings.figure('quiet', echoText(quiet));
    const statuses = new Set<number>();
    const judge = async (what: string, work: (round: number) => Promise<unknown>) => {
      const seen = await meter.during(async () => {
        for (let round = 0; round < rounds; round += 1) await work(round);
      });
      const told = echoText(seen);
      if (task.isFull) task.findings.check(`${what}: no stall above ${STALL_MS} ms`, seen.max <= STALL_MS, told);
      else task.findings.figure(what, told);
    };
    for (const view of VIEWS) {
      await judge(view, async () => statuses.add((await subject.ask(`GET ${view}`)).status));
    }
    await judge('reload', async (round) => {
      subject.write('config.yaml', configText(routes, 61 + round));
      statuses.add((await subject.ask('POST /api/v1/reload')).status);
    });
    task.findings.equal('answers', [...statuses], [200]);
    const shown = (await subject.ask('GET /api/v1/config')).body.match(/idle: /g)?.length;
    task.findings.equal('routes with what the last reload brought', shown, routes + 1);
  },
};

function configText(routes: number, idleMinutes: number): string {
  const lines = ['listeners: [{ name: test, address: "127.0.0.1:0" }]', 'admin: { address: "127.0.0.1:0" }', 'routes:'];
  lines.push('  - { name: measured, match: { path: /measured }, upstream: "builtin:echo" }');
  for (let at = 0; at < routes; at += 1) {
    const own = `timeouts: { idle: ${idleMinutes}m }, limits: { from_client: { max_message_size: 64KiB } }`;
    lines.push(`  - { name: r${at}, match: { hosts: [h${at}.example], path: "/a${at}/*" }, upstream: u${at}, ${own} }`);
  }
  lines.push('upstreams:');
  for (let at = 0; at < routes; at += 1) {
    lines.push(`  u${at}: { targets: [{ url: "ws://127.0.0.1:${10_000 + at}" }] }`);
  }
  return `${lines.join('\n')}\n`;
}
