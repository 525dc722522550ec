// What the primary and its workers say to each other, apart from the desk. Types only.

import type { ServedCertificate } from '../acme/certificates.ts';
import type { ConfigPart } from '../config/portable.ts';
import type { DrainResult } from '../control/drain.ts';
import type { Ended } from '../control/ended-sessions.ts';
import type { BARRED } from '../edge/quotas.ts';
import type { AskMessage } from './asks.ts';
import type { DeskAnswer, DeskAsk } from './desk-messages.ts';
import type { SubjectQuestions } from './worker-subject.ts';

/** The first thing that a worker is told, behind the parts of the config. */
export interface Hello {
  /** From 1; one that takes the place of another has its number. */
  readonly index: number;
  readonly workers: number;
  /** In Via: workers are one framegate. */
  readonly instanceId: string;
  readonly transport: 'auto' | 'stream';
  /** Clients come by the lane; else over the channel. */
  readonly hasLane: boolean;
  /** Its share. */
  readonly sessionsMax: number;
  /** What protects session tickets that no config names a key for. */
  readonly ticketSecret: Uint8Array;
  /** What all of them number bad credentials with; the same as long as the primary lives. */
  readonly failuresSecret: Uint8Array;
}

/** What an operator has said since the start. */
export interface Standing {
  /** What was revoked, as lines of its file. */
  readonly revoked: readonly string[];
  readonly drainedRoutes: readonly string[];
}

/** A listener that the primary has bound. */
export interface Bound {
  /** As long as it is bound, whatever a reload calls it. */
  readonly id: number;
  readonly name: string;
  /** 0 for a unix socket. */
  readonly port: number;
}

export interface DrainAsk {
  readonly why: string;
  /** Another generation goes on with the listening sockets: nobody is refused, and there is no `drain.delay`. */
  readonly isHandedOver: boolean;
}

/** What a worker does now. */
export interface Beat {
  readonly sessions: number;
  /** Bytes, by the system. */
  readonly memory: number;
  /** Connections of requests without upgrade on which nothing is asked. */
  readonly idle: number;
  /** Above what `limits.max_memory` lets new clients in with. */
  readonly isShort: boolean;
}

/** What a worker may be asked: at the left what with, at the right what it says. */
export type ToldWorker = {
  /** The parts of the next config came before it. Why it cannot be; null: it can, and nothing has changed yet. */
  readonly prepare: readonly [ask: null, answer: string | null];
  /** What the config that was prepared last would end. */
  readonly count_ended: readonly [ask: null, answer: Ended];
  /** With its share of sessions. */
  readonly commit: readonly [sessionsMax: number, answer: null];
  readonly drain: readonly [ask: DrainAsk, answer: DrainResult];
} & SubjectQuestions;

/** What the primary may be asked, besides the desk. */
export type ToldPrimary = Record<never, readonly [ask: null, answer: null]>;

export type BarredName = keyof typeof BARRED;

export type ToWorker =
  | readonly ['config', ConfigPart]
  | readonly ['hello', Hello]
  /** All that there are. */
  | readonly ['listeners', readonly Bound[]]
  /** Where there is no lane: comes with its handle. `barred`: it is told so, or may ask for health. */
  | readonly ['client', cid: number, listener: number, barred: BarredName | null]
  /** There is no room for another one: an idle connection of requests without upgrade may go for it. */
  | readonly ['cut_idle']
  | readonly ['ticket_secret', Uint8Array]
  /** All that were got from an authority, as they are served now. */
  | readonly ['certificates', readonly ServedCertificate[]]
  /** What holds besides the config, before its first client. */
  | readonly ['standing', Standing]
  /** Everything is cut off, and the process ends. */
  | readonly ['stop']
  | AskMessage
  | DeskAnswer;

export type ToPrimary =
  /** To `cut_idle`: whether there was one. */
  | readonly ['cut', wasIdle: boolean]
  /** It carries what it is given from now on. */
  | readonly ['ready']
  /** It cannot; the process ends. */
  | readonly ['failed', why: string]
  /** The handle of `cid` is there: the next one may come. */
  | readonly ['took', cid: number]
  /** The client's connection is over. */
  | readonly ['gone', cid: number]
  /** Once a second: it is there. */
  | readonly ['beat', Beat]
  | AskMessage
  | DeskAsk;
