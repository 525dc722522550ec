// 10^5 handshakes that are refused, each for one of many reasons: nothing of them stays, and each is counted.

import { Random } from '../support/random.ts';
import { exampleKey, type UpgradeRequestSpec, upgradeRequest } from '../support/wire.ts';
import type { Demand } from './demand.ts';
import { flood } from './flood.ts';
import { Subject } from './subject.ts';

const REFUSALS = 100_000;

const head = (spec: UpgradeRequestSpec): string => upgradeRequest({ path: '/good', ...spec }).toString('latin1');
const field = (name: string, value: string): string => head({ headers: [[name, value]] });

/** Every status that a head alone can have, with the answer it must get. */
const REFUSED: readonly (readonly [string, string])[] = [
  ['400 bare_lf', head({}).replaceAll('\r\n', '\n')],
  ['400 bare_cr', head({}).replace('\r\n', '\rX')],
  ['400 ctl', field('X-A', 'a\0b')],
  ['400 obs_fold', field('X-A', 'a\r\n b')],
  ['400 header_name', field('X A', 'a')],
  ['400 request_line', head({ version: 'HTTP/1' })],
  ['400 dot_segment', head({ path: '/good/../x' })],
  ['400 host', head({ host: 'a:0' })],
  ['400 dup_field', field('Sec-WebSocket-Key', exampleKey)],
  ['400 connection_token', head({ omit: ['connection'] })],
  ['400 key', head({ key: 'short' })],
  ['400 body', `${field('Content-Length', '5')}hello`],
  ['400 transfer_encoding', field('Transfer-Encoding', 'chunked')],
  ['404 no_route', head({ path: '/nowhere' })],
  ['405 method', head({ method: 'POST' })],
  ['414 target_too_long', head({ path: `/${'a'.repeat(9_000)}` })],
  ['417 expect', field('Expect', '100-continue')],
  ['426 upgrade_required', head({ omit: ['upgrade'] })],
  ['426 version', `${head({ omit: ['sec-websocket-version'] })}`],
  ['431 head_too_large', field('X-A', 'a'.repeat(17_000))],
  ['431 too_many_fields', head({ headers: Array.from({ length: 120 }, (_, at) => [`X-${at}`, ''] as const) })],
  ['505 http_version', head({ version: 'HTTP/1.0' })],
];

export const refusals: Demand = {
  name: 'refusals',
  title: `${REFUSALS} handshakes that are refused, for ${REFUSED.length} reasons, and some that leave in the midst`,
  openFiles: 500,
  async run(task) {
    const { findings } = task;
    const subject = await Subject.start(
      task,
      `
listeners: [{ name: test, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
routes: [{ name: good, match: { path: /good }, upstream: "builtin:echo" }]
`,
    );
    const random = new Random(task.seed);
    const whole = head({});
    const leaving = Array.from({ length: 2 }, () => whole.slice(0, random.between(1, whole.length - 1)));
    const heads = [...REFUSED.map(([, bytes]) => ({ bytes })), ...leaving.map((bytes) => ({ bytes, leaves: true }))];
    const each = Math.ceil(task.size(REFUSALS, 500) / REFUSED.length);
    const count = each * heads.length;
    const { answers, before, after, checkLines } = await flood(task, { subject, heads, count, goodPath: '/good' });
    const wrong: string[] = [];
    for (const [index, [wanted]] of REFUSED.entries()) {
      const seen = JSON.stringify(answers[index]);
      if (seen !== JSON.stringify({ [wanted]: each })) wrong.push(`${wanted}: ${seen}`);
      const slug = { result: wanted.split(' ')[1] ?? '' };
      const counted = after.sum('handshakes_total', slug) - before.sum('handshakes_total', slug);
      if (counted !== each) wrong.push(`handshakes_total of ${wanted}: ${counted}`);
    }
    const refused = each * REFUSED.length;
    const text = wrong.length === 0 ? `${refused}, ${each} of each` : wrong.join('; ');
    findings.check('each refused as it must be, and counted once', wrong.length === 0, text);
    await checkLines('handshake.refused', REFUSED.length);
    const accepted = after.sum('connections_accepted_total') - before.sum('connections_accepted_total');
    findings.equal('connections_accepted_total', accepted, count);
    findings.equal('sessions', after.sum('sessions_open'), 0);
  },
};
