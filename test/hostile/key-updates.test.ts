// A peer of TLS 1.3 that encrypts on its own, since no library asks for new keys without end.

import { createCipheriv, createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { transportMode } from '../support/transport-mode.ts';
import { connectOver, fill, turns } from '../support/transport-pair.ts';

/** What waits here encrypted, at most: 256 KiB, and our own last write of 64 KiB twice. */
const UNSENT_MAX = 262_144 + 2 * 65_536;
const ANSWER_BYTES = 27;
const KEY_UPDATE = Buffer.from([24, 0, 0, 1, 1]);

/** HKDF-Expand-Label (RFC 8446 7.1) for what is no longer than one hash. */
function expand(secret: Buffer, label: string, size: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`);
  const info = Buffer.concat([Buffer.from([0, size, name.length]), name, Buffer.from([0, 1])]);
  return createHmac('sha384', secret).update(info).digest().subarray(0, size);
}

/** The first record under `secret`: it asks for new keys, and is the last one under it. */
function askFrom(secret: Buffer): Buffer {
  const inner = Buffer.concat([KEY_UPDATE, Buffer.from([22])]);
  const header = Buffer.from([23, 3, 3, 0, inner.length + 16]);
  const cipher = createCipheriv('aes-256-gcm', expand(secret, 'key', 32), expand(secret, 'iv', 12)).setAAD(header);
  return Buffer.concat([header, cipher.update(inner), cipher.final(), cipher.getAuthTag()]);
}

test.skipIf(transportMode === 'stream')(
  'L44: a peer that asks for new keys and reads no answer is lost above 256 KiB of them',
  async () => {
    const { transport, carrier, reader, peer, raw, secrets } = await connectOver('TLS 1.3, a server');
    const clock = new FakeClock();
    const wheel = new TimerWheel(clock);
    carrier.watch(wheel, clock.now());
    peer.pause();
    await fill(transport, () => Buffer.alloc(65_536));
    let secret = secrets.get('CLIENT_TRAFFIC_SECRET_0') ?? Buffer.alloc(0);
    const ask = async (times: number) => {
      const records: Buffer[] = [];
      for (let i = 0; i < times; i++) {
        records.push(askFrom(secret));
        secret = expand(secret, 'traffic upd', 48);
      }
      await new Promise((resolve) => raw.write(Buffer.concat(records), resolve));
      await turns(50);
      clock.advance(1_100);
      wheel.advance(clock.now());
      await turns(2);
    };
    await ask(100);
    expect(reader.count('lost')).toBe(0);
    const most = Math.ceil(UNSENT_MAX / ANSWER_BYTES) + 1;
    for (let asked = 0; asked < 2 * most && reader.count('lost') === 0; asked += 1_000) await ask(1_000);
    expect(reader.calls.filter((call) => call.startsWith('lost'))).toEqual(['lost ERR_TLS_UNREAD']);
  },
);
