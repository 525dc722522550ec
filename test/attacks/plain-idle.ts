// Connections of browsers that have been served and do nothing: they keep no session out, and the longest idle of them
// go first.

import { countsOf, type Demand } from '../scale/demand.ts';
import { startClients } from '../scale/peers.ts';
import { until } from '../scale/subject.ts';
import { bareCost, checkGauges, kib, plainScene } from './plain-peers.ts';

const IDLE = 5_000;
const PLACES = 6_000;
const GROUP = 32;
const ALL_IN_MS = 60_000;

export const plainIdle: Demand = {
  name: 'plain-idle',
  title: `${IDLE} connections that were served and stay, ${PLACES} places: every session gets in`,
  openFiles: 2 * PLACES + 1_000,
  async run(task) {
    const { findings } = task;
    const count = task.size(IDLE, 100);
    const places = task.size(PLACES, 120);
    const scene = await plainScene(task, places, 'timeouts: { keep_alive: 1h }\n');
    const { subject, clients } = scene;
    const before = await subject.measure();
    const { statuses } = await clients.ask({ kind: 'open', port: subject.port, habit: 'idle', count });
    findings.equal('answers', statuses, { 200: count });
    const most = Math.floor(places / 2);
    const kept = Math.min(count, most);
    const { open } = await clients.ask({ kind: 'tally' });
    findings.equal('those that stay: at most half of all places', open.length, kept);
    // They come in groups, whose members are served in any order.
    const longest = count - kept - GROUP;
    findings.check(
      'the longest idle of them are gone',
      (open[0] ?? 0) >= longest,
      `the first that stays came as ${open[0]}`,
    );
    const held = await subject.measure();
    const each = (was: number, is: number) => kib((is - was) / kept);
    findings.figure(
      'an idle connection holds',
      `${each(before.heap + before.external, held.heap + held.external)} of heap`,
    );
    findings.figure('resident', `${each(before.resident, held.resident)} more for each`);
    const bare = await bareCost(task, kept);
    findings.figure("with Node's own server alone", `${kib(bare.heap)} of heap, ${kib(bare.resident)} resident`);
    const sessions = startClients(task);
    await sessions.ask({ kind: 'open', port: subject.port, path: '/echo/', count: places, seed: task.seed });
    const areIn = async () => (await subject.metrics()).sum('sessions_open') === places;
    await until('all are in', ALL_IN_MS, areIn).catch(() => {});
    const came = (await sessions.ask({ kind: 'tally' })).sessions;
    findings.equal('sessions', countsOf(came.map(({ ended }) => ended)), { null: places });
    findings.equal('idle ones left', (await clients.ask({ kind: 'tally' })).open.length, 0);
    await sessions.stop();
    await clients.ask({ kind: 'leave' });
    await checkGauges(task, subject);
  },
};
