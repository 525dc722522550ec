// Requests without upgrade that come at once: how many of them begin before others get their turn.

import { describe, expect, test } from 'vitest';
import { PlainRig } from '../edge/plain-rig.ts';

const paths = (count: number) => Array.from({ length: count }, (_, i) => `/${i + 1}`);

describe('H73: requests of many connections in one turn', () => {
  const ask = (rig: PlainRig, path: string, address: string) =>
    rig.connect(Buffer.from(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`), address);
  const asked = (rig: PlainRig) => rig.backends.map(({ received }) => received.toString('latin1').split(' ')[1]);
  const microtasks = async () => {
    for (let i = 0; i < 50; i += 1) await Promise.resolve();
  };

  test('H73: four begin, then four of the next turn, the addresses in turn', async () => {
    const rig = new PlainRig();
    for (const path of paths(9)) ask(rig, path, '192.0.2.1');
    ask(rig, '/other', '192.0.2.2');
    await microtasks();
    expect(asked(rig)).toEqual(paths(4));
    await rig.turns(1);
    await microtasks();
    expect(asked(rig)).toHaveLength(8);
    expect(asked(rig)).toContain('/other');
    await rig.turns(8);
    expect(asked(rig).sort()).toEqual([...paths(9), '/other'].sort());
  });

  test('H73: one that leaves while it waits is asked for nobody, and holds nothing', async () => {
    const rig = new PlainRig();
    const clients = paths(6).map((path) => ask(rig, path, '192.0.2.1'));
    clients.at(-1)?.fin();
    clients.at(-1)?.pump();
    await rig.turns(8);
    expect(asked(rig)).toEqual(paths(5));
    expect(rig.held).toEqual([5, 5, 0, 5]);
  });

  test('H73: and one that waits too long is refused', async () => {
    const rig = new PlainRig();
    for (const path of paths(5)) ask(rig, path, '192.0.2.1');
    rig.pass(60_000);
    await rig.turns(8);
    expect(rig.requests.at(0)).toMatchObject({ status: 504, error: 'backend_timeout' });
    expect(asked(rig)).not.toContain('/5');
  });
});
