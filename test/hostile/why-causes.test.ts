// Why a session ended: for each cause that there is, and in the words that people read.

import { describe, expect, test } from 'vitest';
import { renderWhy } from '../../src/cli/why.ts';
import { END_CAUSES, type EndCause } from '../../src/protocol/end-causes.ts';
import { Rig, SIDE } from '../session/rig.ts';
import { rigFor, WAYS } from '../session/ways.ts';
import { binary, closeFrame, text } from '../support/wire.ts';
import { expectOneScreen, leave, watched } from './why-rig.ts';

const MASKED = { mask: true } as const;
const UTF8 = { ...SIDE, validateUtf8: true };

/** What happened, and a part of what to change if it was not meant. */
const TOLD: Readonly<Record<EndCause, readonly [sentence: string, change: string]>> = {
  client_close: ['The client closed it with 1000 (all is done); its Close was relayed.', 'the client says why'],
  backend_close: [
    'The backend, target a, closed it with 1000 (all is done); its Close was relayed.',
    'log of target a',
  ],
  client_lost: [
    "The client's connection ended with a FIN without a Close, 0ms after its last byte.",
    'client_ping_interval',
  ],
  backend_lost: [
    'The connection to the backend, target a, ended with a FIN without a Close, 0ms after its last byte.',
    'backend_ping_interval',
  ],
  client_protocol_error: ['The client sent a bad frame: frame not masked (RFC 6455 5.1).', 'Mend the client'],
  backend_protocol_error: ['The backend, target a, sent a bad frame: frame masked (RFC 6455 5.1).', 'Mend the backend'],
  client_message_too_big: [
    'The client sent a message of 10 001 bytes, over 10 000 (limits.from_client.max_message_size).',
    'Raise limits.from_client.max_message_size for route chat: "framegate advise --route chat"',
  ],
  backend_message_too_big: [
    'The backend, target a, sent a message of 20 001 bytes, over 20 000 (limits.from_backend.max_message_size).',
    'Raise limits.from_backend.max_message_size for route chat: "framegate advise --route chat"',
  ],
  client_too_many_fragments: [
    'The client cut a message into more fragments than 8 (limits.from_client.max_fragments).',
    'Raise limits.from_client.max_fragments',
  ],
  backend_too_many_fragments: [
    'The backend, target a, cut a message into more fragments than 16 (limits.from_backend.max_fragments).',
    'Raise limits.from_backend.max_fragments',
  ],
  client_invalid_utf8: ['The client sent a Close whose reason is not UTF-8.', 'RFC 6455 8.1'],
  backend_invalid_utf8: ['The backend, target a, sent a Close whose reason is not UTF-8.', 'RFC 6455 8.1'],
  client_rate: [
    'The client sent more than limits.from_client.control_frames_per_second allows: its burst of 2 was used up.',
    'Raise limits.from_client.control_frames_per_second for route chat.',
  ],
  backend_rate: [
    'The backend, target a, sent more than limits.from_backend.control_frames_per_second allows: its burst of 2 was ' +
      'used up.',
    'Raise limits.from_backend.control_frames_per_second for route chat.',
  ],
  client_message_stall: [
    'The client began a message and sent no more of it for 1m (timeouts.message_stall).',
    'Raise timeouts.message_stall',
  ],
  backend_message_stall: [
    'The backend, target a, began a message and sent no more of it for 1m (timeouts.message_stall).',
    'Raise timeouts.message_stall',
  ],
  client_stalled: ['The client took nothing for 53s (timeouts.write_stall) while 3B waited for it.', 'does not read'],
  backend_stalled: [
    'The backend, target a, took nothing for 53s (timeouts.write_stall) while 7B waited for it.',
    'does not read',
  ],
  client_slow: [
    'Data waited for the client without a break for 29s (timeouts.slow_reader): it reads more slowly than the ' +
      'backend sends.',
    'Let the backend send less',
  ],
  backend_slow: [
    'Data waited for the backend without a break for 29s (timeouts.slow_reader): it reads more slowly than the ' +
      'client sends.',
    'Let the client send less',
  ],
  client_pong_timeout: ['The client gave no sign of life for 19s (timeouts.pong) after a ping.', 'gone without a FIN'],
  backend_pong_timeout: [
    'The backend, target a, gave no sign of life for 19s (timeouts.pong) after a ping.',
    'gone without a FIN',
  ],
  overload: [
    'What waited in all sessions together was over limits.max_buffered_total, and this one held the most: 0B.',
    'Raise limits.max_buffered_total',
  ],
  idle: ['Neither side sent a byte for 1h (timeouts.idle).', 'Raise timeouts.idle for route chat'],
  drain: ['framegate was told to stop, and closed all sessions.', 'drain.begin'],
  lifetime: ['It had lived for 10m (timeouts.lifetime), or up to a tenth less.', 'Raise timeouts.lifetime'],
  route_removed: ['A reload has no route chat any more.', 'config.loaded'],
  target_removed: ['Target a of upstream rooms is gone from the config or from discovery.', 'rooms.on_gone: keep'],
  target_drain: [
    'Target a of upstream rooms was drained: by an operator, or by checks that took it down.',
    'target.down',
  ],
  rebalance: ['Target a held more than its share of sessions, and others had room.', 'upstreams.rooms.rebalance'],
  credential_expired: ['The credential that let it in (users/acme) has come to its end.', 'auth.users.*.bind: off'],
  credential_revoked: ['The credential that let it in (users/acme) was revoked, or left the config.', 'admin.action'],
  admin: ['An operator closed it: "closed by the operator".', 'admin.action'],
  internal_error: ['A fault of framegate itself ended it.', 'session.fault'],
  forced: [
    'It was cut off: framegate had to end at once, by a second signal or at the end of drain.timeout.',
    'drain.timeout',
  ],
};

describe('G6: why, for each cause of an end', () => {
  test.each(Object.keys(END_CAUSES) as EndCause[])('G6: %s', (cause) => {
    const { rig, why } = watched((options) => rigFor(cause, { ...options, policy: { recordedFrames: 32 } }));
    for (let i = 0; i < 40; i++) rig.fromClient(text('', MASKED));
    WAYS[cause](rig);
    leave(rig);
    const view = why();
    expect(view).toMatchObject({ state: 'ended', cause, by: END_CAUSES[cause].by ?? 'proxy' });
    const [sentence, change] = TOLD[cause];
    expect(view.sentence.startsWith(sentence), view.sentence).toBe(true);
    expect(view.change.join(' ')).toContain(change);
    // What all sessions hold together is no use of this one's.
    if (view.limit !== null && cause !== 'overload') {
      expect(view.near[0]).toMatchObject({ key: view.limit });
      expect(view.near[0]?.share, view.limit).toBeGreaterThanOrEqual(1);
    }
    expect(JSON.stringify(view)).not.toMatch(/undefined|NaN|Infinity/);
    expectOneScreen(renderWhy(view, 80, 24));
  });

  test('G6: a rate is used up by what is less than one message from its end', () => {
    const client = { ...SIDE, rates: { ...SIDE.rates, messagesPerSecond: 10, messageBurst: 10 } };
    const { rig, why } = watched((options) => new Rig({ ...options, policy: { client } }));
    for (let i = 0; i < 10; i++) rig.fromClient(text('', MASKED));
    rig.advance(80);
    rig.fromClient(text('', MASKED));
    expect(why()).toMatchObject({ cause: 'client_rate', near: [{ limit: 10, used: 10, share: 1 }] });
  });

  test('G6: the memory of the process, which is another limit than that on what waits', () => {
    const { rig, why } = watched((options) => new Rig(options));
    rig.session.shed('max_memory');
    const { limit, sentence, change } = why();
    expect([limit, sentence]).toEqual([
      'limits.max_memory',
      'The process took over 95 % of limits.max_memory, and this session held the most for a slow reader: 0B.',
    ]);
    expect(change[0]).toContain('Raise limits.max_memory');
  });

  test('G6: a reserved bit, whose rules are of two documents', () => {
    const { rig, why } = watched((options) => new Rig(options));
    rig.fromBackend(Buffer.from([0xb1, 0]));
    expect(why().sentence).toContain('sent a bad frame: reserved bit set (RFC 6455 5.2; RFC 7692 6).');
  });

  test('G6: a backend that is reset inside a frame', () => {
    const { rig, why } = watched((options) => new Rig(options));
    rig.fromBackend(binary(Buffer.alloc(100)).subarray(0, 50));
    rig.advance(3000);
    rig.rstFrom(rig.backend);
    expect(why().sentence).toBe(
      'The connection to the backend, target a, was lost (ECONNRESET) without a Close, 3s after its last byte. ' +
        'A connection was cut inside a frame, which no Close can follow.',
    );
  });

  test('G6: a Close that nobody answers', () => {
    const { rig, why } = watched((options) => new Rig(options));
    rig.session.end('drain');
    rig.fromClient(closeFrame(1012, '', MASKED));
    expect(why()).toMatchObject({ state: 'closing', cause: 'drain', times: { ended_at: null, closing_ms: 0 } });
    rig.advance(60_000);
    expect(why()).toMatchObject({ state: 'ended', code: 1012, reason: 'server restart', clean: false });
    expect(why().sentence).toMatch(/closed all sessions. The backend did not answer its Close within timeouts.close.$/);
  });

  test('G6: text that is no UTF-8, and who asks for UTF-8', () => {
    const { rig, why } = watched((options) => new Rig({ ...options, policy: { client: UTF8 } }));
    rig.fromClient(text(Buffer.from([0xff]), MASKED));
    leave(rig);
    expect(why().sentence).toBe('The client sent text that is not UTF-8, and limits.from_client.validate_utf8 is on.');
    expect(why().change.join(' ')).toContain('limits.from_client.validate_utf8: off');
  });

  test('G6: one that is open tells how near it is to an end, and by what', () => {
    const { rig, why } = watched((options) => new Rig({ ...options, policy: { lifetimeMs: 4_000_000 } }));
    expect(why()).toMatchObject({ state: 'open', sentence: 'It is open.', near: [], change: [], by: null });
    rig.fromClient(binary(Buffer.alloc(4_999), MASKED));
    expect(why().near).toEqual([]);
    rig.fromClient(binary(Buffer.alloc(5_000), MASKED));
    rig.client.setRoom(0);
    rig.fromBackend(binary(Buffer.alloc(4_000)), text('', { fin: false }));
    const view = why();
    expect(view.near).toEqual([
      { key: 'limits.max_buffered', unit: 'bytes', limit: 4096, used: expect.any(Number), share: 0.97 },
      { key: 'limits.from_client.max_message_size', unit: 'bytes', limit: 10_000, used: 5_000, share: 0.5 },
    ]);
    expect(view.sentence).toMatch(/^It is open. Nearest to its end is limits.max_buffered, 40\d\dB of 4KiB \(97 %\).$/);
  });
});
