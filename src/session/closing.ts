// The close handshake towards one side of a session (RFC 6455 7) as data: a phase, what may happen to it, and for both
// together the next phase and what is to be done then. Pure: end.ts does it, on its transport and by its clock.

/** What this side has been told. */
export const Told = {
  Nothing: 0,
  /** Our Close waits for the end of a frame that is half relayed to it. */
  Waits: 1,
  /** A Close was written: ours, or the other side's. */
  Close: 2,
  /** It has taken all of that. */
  Taken: 3,
  /** Only FINs are awaited. */
  Fin: 4,
  /** Its connection is closed. */
  Gone: 5,
} as const;
type Told = (typeof Told)[keyof typeof Told];

/** What this side has said. Whatever it is, from the first on it is finished: nothing more of it counts. */
export const Said = {
  /** Frames, and more may come. */
  Frames: 0,
  Close: 1,
  /** Something after which it is not listened to: it broke a rule, or we have a fault of our own. */
  Broken: 2,
  /** A FIN without a Close. */
  Fin: 3,
  CloseAndFin: 4,
} as const;
type Said = (typeof Said)[keyof typeof Said];

export const ClosingEvent = {
  /** It shall be told the end, and no frame is half relayed to it. */
  Ask: 0,
  /** The same, inside a frame whose rest may still come. */
  AskInside: 1,
  /** The same, inside a frame whose rest never comes. */
  AskTorn: 2,
  /** The other side's Close was relayed to it. */
  Relayed: 3,
  /** All that was written to it was taken. */
  Taken: 4,
  /** Its Close came. */
  Close: 5,
  Broken: 6,
  /** Its FIN came, or its connection was lost. */
  Fin: 7,
  /** All that follows from what has happened to either side was done. */
  Settled: 8,
  /** It is to be rid of at once. */
  Cut: 9,
} as const;
export type ClosingEvent = (typeof ClosingEvent)[keyof typeof ClosingEvent];

/** What is to be done, in this order: a set of bits. */
export const ClosingAction = {
  /** Let the frame run to its end, and nothing of the other side behind it. */
  Hold: 1,
  /** Write our Close. */
  Write: 2,
  /** It has `timeouts.close` from now on for what is awaited next. */
  StartTimer: 4,
  /** Nothing is awaited but that it takes what was written, which `write_stall` bounds. */
  StopTimer: 8,
  /** Send a FIN. */
  Fin: 16,
  /** RFC 6455 7.1.1: the server closes first. So we send a FIN to a client, and wait for that of a backend. */
  FinToClient: 32,
  Destroy: 64,
  /** See whether it has taken all of it already. */
  Look: 128,
} as const;

/** Both halves in one small number. */
export type Phase = number;

interface ClosingStep {
  readonly next: Phase;
  readonly actions: number;
}

const TOLD = Object.values(Told);
const SAID = Object.values(Said);
const EVENTS = Object.values(ClosingEvent);

const E = ClosingEvent;
const { Hold, Write, StartTimer, StopTimer, Fin, FinToClient, Destroy, Look } = ClosingAction;

/** What the half becomes, and what is to be done. Whatever is not listed changes nothing. */
type Row<Key extends number> = Readonly<Partial<Record<Key, readonly [Told, number]>>>;

const WRITE = [Told.Close, Write | StopTimer | Look] as const;
const DESTROY = [Told.Gone, StopTimer | Destroy] as const;

const TOLD_ROWS: Readonly<Record<Told, Row<ClosingEvent>>> = {
  [Told.Nothing]: {
    [E.Ask]: WRITE,
    [E.AskInside]: [Told.Waits, Hold | StartTimer],
    [E.AskTorn]: DESTROY,
    [E.Relayed]: [Told.Close, StopTimer | Look],
    [E.Cut]: DESTROY,
  },
  [Told.Waits]: { [E.Ask]: WRITE, [E.AskTorn]: DESTROY, [E.Cut]: DESTROY },
  [Told.Close]: { [E.Taken]: [Told.Taken, StartTimer], [E.Cut]: DESTROY },
  [Told.Taken]: { [E.Cut]: DESTROY },
  [Told.Fin]: { [E.Cut]: DESTROY },
  [Told.Gone]: {},
};

const SAID_ROWS: Readonly<Record<Said, Readonly<Partial<Record<ClosingEvent, Said>>>>> = {
  [Said.Frames]: { [E.Close]: Said.Close, [E.Broken]: Said.Broken, [E.Fin]: Said.Fin },
  [Said.Close]: { [E.Fin]: Said.CloseAndFin },
  [Said.Broken]: { [E.Fin]: Said.Fin },
  [Said.Fin]: {},
  [Said.CloseAndFin]: {},
};

/**
 * `Settled`, where the halves meet: a Close went both ways, or no answer can come any more. To who broke a rule we send
 * our FIN on either side: no answer can be seen, so there is nothing to wait for (RFC 6455 7.1.7).
 */
const SETTLED_ROWS: Readonly<Partial<Record<Told, Row<Said>>>> = {
  [Told.Taken]: {
    [Said.Close]: [Told.Fin, StartTimer | FinToClient],
    [Said.Broken]: [Told.Fin, StartTimer | Fin],
    [Said.Fin]: [Told.Gone, StopTimer | Fin | Destroy],
    [Said.CloseAndFin]: [Told.Gone, StopTimer | FinToClient | Destroy],
  },
  [Told.Fin]: { [Said.Fin]: DESTROY, [Said.CloseAndFin]: DESTROY },
};

/** Where it begins. */
export const OPEN: Phase = phaseOf(Told.Nothing, Said.Frames);

/** By phase, then by event. */
const STEPS: readonly (ClosingStep | null)[] = TOLD.flatMap((told) =>
  SAID.flatMap((said) => EVENTS.map((event) => stepFrom(told, said, event))),
);

/** What `event` leads to in `phase`; null where it cannot happen, whatever the peers do. */
export function closingStep(phase: Phase, event: ClosingEvent): ClosingStep | null {
  return STEPS[phase * EVENTS.length + event] ?? null;
}

export function phaseOf(told: Told, said: Said): Phase {
  return told * SAID.length + said;
}

export function isGone(phase: Phase): boolean {
  return phase >= phaseOf(Told.Gone, Said.Frames);
}

/** Nothing that this side may still send counts. */
export function isFinished(phase: Phase): boolean {
  return isGone(phase) || phase % SAID.length !== Said.Frames;
}

/** Its Close came. */
export function hasSaidClose(phase: Phase): boolean {
  const said = phase % SAID.length;
  return said === Said.Close || said === Said.CloseAndFin;
}

function stepFrom(told: Told, said: Said, event: ClosingEvent): ClosingStep | null {
  if (isImpossible(told, said, event)) return null;
  const [nextTold, actions] = (event === E.Settled ? SETTLED_ROWS[told]?.[said] : TOLD_ROWS[told][event]) ?? [told, 0];
  return Object.freeze({ next: phaseOf(nextTold, SAID_ROWS[said][event] ?? said), actions });
}

/** A Close is relayed to who has been told nothing, and read from who has said nothing but frames. */
function isImpossible(told: Told, said: Said, event: ClosingEvent): boolean {
  return (event === E.Relayed && told !== Told.Nothing) || (event === E.Close && said !== Said.Frames);
}
