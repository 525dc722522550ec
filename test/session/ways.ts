// Each cause of an end, brought about on a session between two peers that the test plays.

import type { EndCause } from '../../src/protocol/end-causes.ts';
import { closeFrame, continuation, frame, ping, text } from '../support/wire.ts';
import { MESSAGE_MAX, Rig, type RigOptions, SIDE, TIMES } from './rig.ts';

const MASKED = { mask: true } as const;

/** Each cause caused as the other tests do, for what the two sides are told. */
export const WAYS: Readonly<Record<EndCause, (rig: Rig) => void>> = {
  client_close: (rig) => rig.fromClient(closeFrame(1000, '', MASKED)),
  backend_close: (rig) => rig.fromBackend(closeFrame(1000)),
  client_lost: (rig) => rig.finFrom(rig.client),
  backend_lost: (rig) => rig.finFrom(rig.backend),
  client_protocol_error: (rig) => rig.fromClient(text('x')),
  backend_protocol_error: (rig) => rig.fromBackend(text('x', MASKED)),
  client_message_too_big: (rig) => rig.fromClient(frame({ opcode: 2, length: MESSAGE_MAX + 1, ...MASKED })),
  backend_message_too_big: (rig) => rig.fromBackend(frame({ opcode: 2, length: 2 * MESSAGE_MAX + 1 })),
  client_too_many_fragments: (rig) =>
    rig.fromClient(
      frame({ opcode: 1, fin: false, ...MASKED }),
      ...Array(8).fill(continuation('', { ...MASKED, fin: false })),
    ),
  backend_too_many_fragments: (rig) =>
    rig.fromBackend(frame({ opcode: 1, fin: false }), ...Array(16).fill(continuation('', { fin: false }))),
  client_invalid_utf8: (rig) => rig.fromClient(closeFrame(1000, Buffer.from([0xff]), MASKED)),
  backend_invalid_utf8: (rig) => rig.fromBackend(closeFrame(1000, Buffer.from([0xff]))),
  client_message_stall: (rig) => {
    rig.fromClient(text('', { ...MASKED, fin: false }));
    rig.advance(TIMES.messageStall);
  },
  backend_message_stall: (rig) => {
    rig.fromBackend(text('', { fin: false }));
    rig.advance(TIMES.messageStall);
  },
  client_stalled: (rig) => {
    rig.client.setRoom(0);
    rig.fromBackend(text('x'));
    rig.advance(TIMES.writeStall);
  },
  backend_stalled: (rig) => {
    rig.backend.setRoom(0);
    rig.fromClient(text('x', MASKED));
    rig.advance(TIMES.writeStall);
  },
  client_rate: (rig) => rig.fromClient(ping('', MASKED), ping('', MASKED), ping('', MASKED)),
  backend_rate: (rig) => rig.fromBackend(ping(''), ping(''), ping('')),
  client_slow: (rig) => {
    rig.client.setRoom(0);
    rig.fromBackend(text('x'));
    rig.advance(TIMES.slowReader);
    rig.takeFrom(rig.client);
  },
  backend_slow: (rig) => {
    rig.backend.setRoom(0);
    rig.fromClient(text('x', MASKED));
    rig.advance(TIMES.slowReader);
    rig.takeFrom(rig.backend);
  },
  client_pong_timeout: (rig) => rig.advance(TIMES.ping + TIMES.pong),
  backend_pong_timeout: (rig) => rig.advance(TIMES.ping + TIMES.pong),
  overload: (rig) => rig.session.shed('max_buffered_total'),
  idle: (rig) => rig.advance(TIMES.idle),
  drain: (rig) => rig.session.end('drain'),
  lifetime: (rig) => rig.advance(TIMES.lifetime),
  route_removed: (rig) => rig.session.end('route_removed'),
  target_removed: (rig) => rig.session.end('target_removed'),
  target_drain: (rig) => rig.session.end('target_drain'),
  rebalance: (rig) => rig.session.end('rebalance'),
  credential_expired: (rig) => rig.session.end('credential_expired'),
  credential_revoked: (rig) => rig.session.end('credential_revoked'),
  admin: (rig) => rig.session.end('admin'),
  internal_error: (rig) => {
    rig.session.fail(new Error('a bug'));
    rig.faults.splice(0);
  },
  forced: (rig) => rig.session.cut(),
};

const CONTROLS = { ...SIDE, rates: { ...SIDE.rates, controlFramesPerSecond: 1, controlFrameBurst: 2 } };
const PINGED = { ...SIDE, pingIntervalMs: TIMES.ping };
/** What a cause needs to be turned on. */
const policies: Partial<Record<EndCause, NonNullable<RigOptions['policy']>>> = {
  client_rate: { client: CONTROLS },
  backend_rate: { backend: CONTROLS },
  client_slow: { slowReaderMs: TIMES.slowReader },
  backend_slow: { slowReaderMs: TIMES.slowReader },
  client_pong_timeout: { client: PINGED },
  backend_pong_timeout: { backend: PINGED },
  lifetime: { lifetimeMs: TIMES.lifetime },
};

export function rigFor(cause: EndCause, options: RigOptions = {}): Rig {
  return new Rig({ ...options, policy: { ...policies[cause], ...options.policy } });
}
