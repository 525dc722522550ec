// One case of the `session` target: builds a session between two played peers, does random things to it, and has the
// reference model look at each of them. The same seed does the same things.

import { TimerWheel } from '../../../src/limits/timer-wheel.ts';
import type { TransportReader } from '../../../src/net/transport.ts';
import { RouteMetrics } from '../../../src/observe/metrics.ts';
import type { EndCause } from '../../../src/protocol/end-causes.ts';
import { Session, type SessionOwner } from '../../../src/session/session.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { MemoryTransport } from '../../support/memory-transport.ts';
import type { Random } from '../../support/random.ts';
import { PeerScript } from './peer-script.ts';
import { SessionModel } from './session-model.ts';
import { makePolicy, makeSetup, type Setup } from './session-setup.ts';
import type { ReferenceSide } from './side.ts';

/** What sessions share in a process: made once, since a wheel costs more than a session. */
export class World {
  readonly clock = new FakeClock();
  /** A tick of one millisecond: deadlines are exact. */
  readonly wheel = new TimerWheel(this.clock, 1);
  readonly metrics = new RouteMetrics('fuzz');
  readonly readBuffer = Buffer.alloc(144 + 65_536, 0xee);
}

/** Breaks a session on purpose, before anything is done to it: what a check is for has to make it fail. */
export type Sabotage = (parts: SabotagedParts) => unknown;

export interface SabotagedParts {
  readonly world: World;
  readonly session: Session;
  readonly owner: SessionOwner;
  readonly client: MemoryTransport;
  readonly backend: MemoryTransport;
}

export interface RunOptions {
  readonly world: World;
  readonly random: Random;
  readonly sabotage?: Sabotage;
  /** Told what is done, in order. */
  readonly tell?: (what: string) => void;
}

const noPayload = Buffer.alloc(0);
const ends: readonly EndCause[] = ['drain', 'admin', 'route_removed', 'target_removed', 'target_drain', 'rebalance'];
/** More wake-ups than any session needs to end once its peers are silent. */
const WAKE_UPS_MAX = 2000;
const ANSWERED_WAKE_UPS = 50;

/** A peer, played: what it sends, and how it behaves when something comes. */
class Player {
  readonly transport: MemoryTransport;
  readonly side: ReferenceSide;
  readonly script: PeerScript;
  /** It answers what it gets, as it should. */
  readonly polite: boolean;
  finSent = false;
  rstSent = false;

  constructor(transport: MemoryTransport, side: ReferenceSide, script: PeerScript, polite: boolean) {
    this.transport = transport;
    this.side = side;
    this.script = script;
    this.polite = polite;
  }

  get canSend(): boolean {
    return !this.finSent && !this.rstSent && !this.transport.destroyed;
  }
}

/** Between a transport and the session: lets the model see each event before and after the session does. */
class Tap implements TransportReader {
  private readonly reader: TransportReader;
  private readonly side: ReferenceSide;
  private readonly model: SessionModel;
  private readonly clock: FakeClock;

  constructor(reader: TransportReader, side: ReferenceSide, model: SessionModel, clock: FakeClock) {
    this.reader = reader;
    this.side = side;
    this.model = model;
    this.clock = clock;
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    const now = this.clock.now();
    this.model.beforeRead(this.side, Buffer.from(bytes.subarray(start, end)), now);
    this.reader.onBytes(bytes, start, end);
    this.model.afterRead(this.side, now);
  }

  onEnd(): void {
    this.model.beforeEnd(this.side, false);
    this.reader.onEnd();
    this.model.afterEnd(this.side, this.clock.now());
  }

  onLost(error: Error): void {
    this.model.beforeEnd(this.side, true);
    this.reader.onLost(error);
    this.model.afterEnd(this.side, this.clock.now());
  }

  onTaken(): void {
    const now = this.clock.now();
    this.model.beforeTaken(this.side, now);
    this.reader.onTaken();
    this.model.afterTaken(now);
  }
}

export class SessionRun {
  readonly model: SessionModel;
  private readonly world: World;
  private readonly random: Random;
  private readonly setup: Setup;
  private readonly session: Session;
  private readonly client: Player;
  private readonly backend: Player;
  private readonly tell: ((what: string) => void) | null;
  private readonly faults: unknown[] = [];
  private endCount = 0;
  private endingCount = 0;
  /** When a peer last did anything. */
  private actedAt = 0;

  constructor(options: RunOptions) {
    const { world, random } = options;
    const { clock, wheel, metrics, readBuffer } = world;
    this.world = world;
    this.random = random;
    this.tell = options.tell ?? null;
    const setup = makeSetup(random);
    this.setup = setup;
    const policy = makePolicy(random, setup.validateUtf8);
    const transport = (name: 'client' | 'backend') =>
      new MemoryTransport({
        name,
        stable: setup.stable,
        readBuffer,
        journal: (_, what, bytes) => {
          if (what === 'write') this.model.noteWrite(this.model[name], bytes);
          this.tell?.(`  ${name} <- ${what} ${bytes.toString('hex', 0, 64)}`);
        },
      });
    const client = transport('client');
    const backend = transport('backend');
    const lifetimeShare = 0.9 + 0.1 * random.fraction();
    const owner: SessionOwner = {
      onSessionEnding: () => this.noteEnding(),
      onSessionEnd: () => {
        this.endCount += 1;
      },
      onSessionFault: (_, error) => this.faults.push(error),
      onLimitHit() {},
    };
    this.session = unrandomly((lifetimeShare - 0.9) / 0.1, () => {
      return new Session({
        clock,
        wheel,
        policy,
        owner,
        client,
        backend,
        deflate: setup.deflate,
        metrics,
      });
    });
    const now = clock.now();
    const { deflate } = setup;
    const subject = this.session;
    const readBytesMax = 65_536;
    const gauges = { client: metrics.fromClient, backend: metrics.fromBackend };
    this.model = new SessionModel({
      gauges,
      subject,
      policy,
      deflate,
      client,
      backend,
      now,
      lifetimeShare,
      readBytesMax,
    });
    this.tell?.(`setup ${JSON.stringify({ ...setup, policy })}`);
    const script = (masked: boolean) => new PeerScript(random, { masked, ...setup });
    this.client = new Player(client, this.model.client, script(true), random.chance(0.7));
    this.backend = new Player(backend, this.model.backend, script(false), random.chance(0.7));
    this.actedAt = now;
    for (const direction of [metrics.fromClient, metrics.fromBackend]) {
      direction.bytes = 0;
      direction.textMessages = 0;
      direction.binaryMessages = 0;
    }
    options.sabotage?.({ world, session: this.session, owner, client, backend });
  }

  /** All of it. Throws with what was wrong. */
  run(): void {
    this.start();
    for (let steps = this.random.between(2, 22); steps > 0 && this.endCount === 0; steps--) this.step();
    this.finish();
    this.judgeEnd();
  }

  private get now(): number {
    return this.world.clock.now();
  }

  private note(what: string): void {
    this.tell?.(`${this.now}: ${what}`);
  }

  /** Sometimes with bytes of one side that came before the 101. */
  private start(): void {
    const { random, session, model } = this;
    // As they are when they come out of the handshake.
    this.client.transport.pause();
    this.backend.transport.pause();
    const player = random.chance(0.5) ? this.client : this.backend;
    const early = random.chance(0.1) ? this.frames(player) : null;
    if (early !== null) this.note(`early ${player.side.name} ${early.toString('hex')}`);
    if (early !== null) model.beforeRead(player.side, early, this.now);
    session.start(player === this.client ? early : null, player === this.backend ? early : null);
    if (early !== null) model.afterRead(player.side, this.now);
    for (const { transport, side } of [this.client, this.backend]) {
      if (!transport.destroyed) transport.reader = new Tap(transport.reader, side, model, this.world.clock);
    }
  }

  private step(): void {
    const { random } = this;
    const player = random.chance(0.5) ? this.client : this.backend;
    const dice = random.between(0, 99);
    if (dice < 46) this.send(player, this.frames(player));
    else if (dice < 50) this.send(player, player.script.illegal(this.limitsOf(player)));
    else if (dice < 51 && player.side.stream.token !== null) {
      // Once more, or after it was answered by other bytes.
      this.send(player, player.script.pong(player.side.stream.token));
    } else if (dice < 53) this.send(player, player.script.close());
    else if (dice < 56) this.fin(player);
    else if (dice < 57) this.rst(player);
    else if (dice < 68) this.changeReading(player);
    else if (dice < 82) this.advance(this.someTime());
    else if (dice < 84) this.callProxy();
    else if (dice < 86) this.retune();
    else this.react(player);
    if (random.chance(0.9)) this.pump();
  }

  private limitsOf(player: Player) {
    const { policy } = this.model;
    return player === this.client ? policy.fromClient : policy.fromBackend;
  }

  private frames(player: Player): Buffer {
    const limits = this.limitsOf(player);
    const first = player.script.legal(limits);
    if (this.random.chance(0.5)) return first;
    const frames = [first];
    for (let more = this.random.between(1, 5); more > 0; more--) frames.push(player.script.legal(limits));
    return Buffer.concat(frames);
  }

  /** Hand `bytes` to the transport in one read or several. */
  private send(player: Player, bytes: Buffer): void {
    if (!player.canSend) return;
    const { random } = this;
    const { transport, side } = player;
    this.actedAt = this.now;
    this.note(`${side.name} sends ${bytes.toString('hex', 0, 200)}`);
    const dice = random.between(0, 9);
    if (dice < 5) transport.send(bytes);
    else if (dice < 9 || bytes.length > 60) this.sendCut(transport, bytes, random.between(1, 3));
    else for (let at = 0; at < bytes.length; at++) transport.send(bytes.subarray(at, at + 1));
    // Sometimes the rest never comes.
    if (random.chance(0.03)) this.fin(player);
  }

  private sendCut(transport: MemoryTransport, bytes: Buffer, cuts: number): void {
    let at = 0;
    for (let cut = 0; cut < cuts && at < bytes.length; cut++) {
      const to = this.random.between(at + 1, bytes.length);
      transport.send(bytes.subarray(at, to));
      at = to;
      if (this.random.chance(0.3)) this.pump();
      if (this.random.chance(0.1)) this.advance(this.someTime());
    }
    if (at < bytes.length) transport.send(bytes.subarray(at));
  }

  private fin(player: Player): void {
    if (!player.canSend) return;
    this.note(`${player.side.name} FIN`);
    this.actedAt = this.now;
    player.finSent = true;
    player.transport.fin();
  }

  private rst(player: Player): void {
    if (player.rstSent || player.transport.destroyed) return;
    this.note(`${player.side.name} RST`);
    this.actedAt = this.now;
    player.rstSent = true;
    player.transport.rst();
  }

  private changeReading(player: Player): void {
    const { random } = this;
    const { transport, side } = player;
    if (transport.destroyed || player.rstSent) return;
    this.actedAt = this.now;
    const dice = random.between(0, 3);
    const bytes = random.chance(0.5) ? random.between(0, transport.pending) : random.pick([1, 10, 100, 1000]);
    this.note(`${side.name} ${['has room for', 'takes', 'takes', 'takes all, not'][dice]} ${bytes}`);
    if (dice === 0) transport.setRoom(bytes);
    else if (dice < 3) transport.take(bytes);
    else transport.takeAll();
  }

  private someTime(): number {
    const { random } = this;
    const dice = random.between(0, 9);
    if (dice < 4) return random.between(1, 60);
    if (dice < 7) return random.between(100, 700);
    const due = this.session.dueAt - this.now;
    return Number.isFinite(due) ? Math.max(1, Math.ceil(due) + random.between(-1, 1)) : random.between(1, 1000);
  }

  /** Let time pass, stopping wherever the session asked for it. */
  private advance(ms: number): void {
    const { clock, wheel } = this.world;
    this.note(`${ms} ms pass`);
    for (let left = ms; left > 0 && this.endCount === 0; ) {
      const step = Math.min(left, Math.max(1, Math.ceil(this.session.dueAt - clock.now())));
      clock.advance(step);
      left -= step;
      wheel.advance();
      this.model.afterTimers(clock.now());
      this.pump();
    }
  }

  private callProxy(): void {
    const { random, session, model } = this;
    const dice = random.between(0, 9);
    if (dice < 8) {
      const cause = random.pick(ends);
      const code = cause === 'admin' && random.chance(0.5) ? 4000 : null;
      this.note(`the proxy ends it: ${cause} ${code}`);
      session.end(cause, code === null ? {} : { notice: { code, text: 'because' } });
      model.afterCall(cause, this.now, code);
    } else if (dice < 9) {
      this.note('the proxy sheds it');
      session.shed('max_buffered_total');
      model.afterCall('overload', this.now);
    } else {
      this.note('the proxy cuts it');
      session.cut();
      model.afterCall('forced', this.now);
    }
  }

  private retune(): void {
    const policy = makePolicy(this.random, this.setup.validateUtf8);
    this.note(`reload ${JSON.stringify(policy)}`);
    this.session.retune(policy);
    this.model.afterRetune(policy, this.now);
  }

  /** What a well-behaved peer does next. */
  private react(player: Player): boolean {
    const { side, script, transport } = player;
    if (!player.canSend) return false;
    const gotClose = side.isFlushed;
    if (gotClose && !script.closeSent) this.send(player, script.close());
    else if (side.unanswered.length > 0) this.answer(player, side.unanswered.pop() ?? noPayload);
    else if (transport.finSent || (gotClose && !side.isClient)) this.fin(player);
    else return false;
    return true;
  }

  private answer(player: Player, payload: Buffer): void {
    const pong = player.script.pong(payload);
    const isAlone = this.random.chance(0.7);
    this.send(player, isAlone ? pong : Buffer.concat([this.frames(player), pong, this.frames(player)]));
  }

  private pump(): void {
    for (let moved = true; moved; ) {
      moved = this.client.transport.pump();
      moved = this.backend.transport.pump() || moved;
    }
  }

  /** The peers do what they must, or nothing at all, and it has to end in time. */
  private finish(): void {
    const { random, session } = this;
    const players = [this.client, this.backend];
    for (const player of players) if (random.chance(0.7) && !player.rstSent) player.transport.takeAll();
    this.actedAt = this.now;
    this.pump();
    if (this.endCount === 0 && random.chance(0.6)) {
      session.end('drain');
      this.model.afterCall('drain', this.now);
    }
    for (let wakeUps = 0; this.endCount === 0; wakeUps++) {
      // Not for ever: a peer that answers every ping may live for ever.
      const answers = wakeUps < ANSWERED_WAKE_UPS;
      for (const player of players) if (answers && player.polite) while (this.react(player)) this.pump();
      if (this.endCount > 0) return;
      const { client, backend } = this.model;
      const silentMs = this.now - Math.max(this.actedAt, client.lastByteAt, backend.lastByteAt);
      if (silentMs > this.model.silenceMax || wakeUps > WAKE_UPS_MAX) {
        throw new Error(`no end after ${silentMs} ms of silence and ${wakeUps} timers`);
      }
      if (session.dueAt === Number.POSITIVE_INFINITY) throw new Error('it lives without a timer');
      this.advance(Math.max(1, Math.ceil(session.dueAt - this.now)));
    }
  }

  private noteEnding(): void {
    this.endingCount += 1;
  }

  private judgeEnd(): void {
    const { world, model, session } = this;
    const { metrics, wheel } = world;
    const facts: readonly (readonly [what: string, actual: unknown, expected: unknown])[] = [
      ['times it ended', this.endCount, 1],
      ['times its end began', this.endingCount, 1],
      ['client destroyed', this.client.transport.destroyed, true],
      ['backend destroyed', this.backend.transport.destroyed, true],
      ['timers left', wheel.size, 0],
      ['faults', this.faults.length, 0],
      ['misuse', [...this.client.transport.misuse, ...this.backend.transport.misuse].join(), ''],
      ['buffered_bytes', `${metrics.fromClient.buffered} ${metrics.fromBackend.buffered}`, '0 0'],
      ['sessions_paused', `${metrics.fromClient.paused} ${metrics.fromBackend.paused}`, '0 0'],
      ['bytes of the client', metrics.fromClient.bytes, model.client.stream.payloadBytes],
      ['bytes of the backend', metrics.fromBackend.bytes, model.backend.stream.payloadBytes],
      ['messages of the client', messagesOf(metrics.fromClient), model.client.stream.messages],
      ['messages of the backend', messagesOf(metrics.fromBackend), model.backend.stream.messages],
      ['clean', session.isClean, model.isClean],
      ['mid_frame', session.midFrame, model.client.goneInside || model.backend.goneInside],
      ['close_code_client', session.client.closeSent, model.client.codeSent],
      ['close_code_backend', session.backend.closeSent, model.backend.codeSent],
    ];
    for (const [what, actual, expected] of facts) {
      if (actual !== expected) throw new Error(`${what}: ${actual}, not ${expected}`);
    }
    model.judgeReceived(this.client.side, this.client.transport.received);
    model.judgeReceived(this.backend.side, this.backend.transport.received);
  }
}

function messagesOf(direction: { textMessages: number; binaryMessages: number }): number {
  return direction.textMessages + direction.binaryMessages;
}

/** The one random choice of a session, its share of `lifetime`, belongs to the case. */
function unrandomly<T>(value: number, make: () => T): T {
  const { random } = Math;
  Math.random = () => value;
  try {
    return make();
  } finally {
    Math.random = random;
  }
}
