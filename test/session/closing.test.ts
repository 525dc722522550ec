// The close handshake as data: every phase with every event, and what holds on every way through them.

import { describe, expect, test } from 'vitest';
import {
  ClosingAction,
  ClosingEvent,
  closingStep,
  hasSaidClose,
  isFinished,
  isGone,
  OPEN,
  type Phase,
  phaseOf,
  Said,
  Told,
} from '../../src/session/closing.ts';

const EVENTS = Object.values(ClosingEvent);
/** By phase: what it was told, and behind it what it has said but frames. */
const NAMES = new Map<Phase, string>();
for (const [told, letter] of [
  [Told.Nothing, 'N'],
  [Told.Waits, 'W'],
  [Told.Close, 'C'],
  [Told.Taken, 'T'],
  [Told.Fin, 'F'],
  [Told.Gone, 'G'],
] as const) {
  NAMES.set(phaseOf(told, Said.Frames), letter);
  NAMES.set(phaseOf(told, Said.Close), `${letter}c`);
  NAMES.set(phaseOf(told, Said.Broken), `${letter}b`);
  NAMES.set(phaseOf(told, Said.Fin), `${letter}f`);
  NAMES.set(phaseOf(told, Said.CloseAndFin), `${letter}cf`);
}
const PHASES = [...NAMES.keys()];

/** What the table below calls what is to be done. */
const WORDS: readonly (readonly [word: string, actions: number])[] = [
  ['wait', ClosingAction.Hold | ClosingAction.StartTimer],
  ['write', ClosingAction.Write | ClosingAction.StopTimer | ClosingAction.Look],
  ['told', ClosingAction.StopTimer | ClosingAction.Look],
  ['timer', ClosingAction.StartTimer],
  ['fin', ClosingAction.Fin],
  ['toClient', ClosingAction.FinToClient],
  ['cut', ClosingAction.StopTimer | ClosingAction.Destroy],
];

/** Every phase and every event. `-`: nothing changes. `!`: it cannot happen. */
const TABLE = `
-   | Ask       | AskInside | AskTorn | Relayed  | Taken     | Close | Broken | Fin | Settled           | Cut
N   | C write   | W wait    | G cut   | C told   | -         | Nc    | Nb     | Nf  | -                 | G cut
Nc  | Cc write  | Wc wait   | Gc cut  | Cc told  | -         | !     | -      | Ncf | -                 | Gc cut
Nb  | Cb write  | Wb wait   | Gb cut  | Cb told  | -         | !     | -      | Nf  | -                 | Gb cut
Nf  | Cf write  | Wf wait   | Gf cut  | Cf told  | -         | !     | -      | -   | -                 | Gf cut
Ncf | Ccf write | Wcf wait  | Gcf cut | Ccf told | -         | !     | -      | -   | -                 | Gcf cut
W   | C write   | -         | G cut   | !        | -         | Wc    | Wb     | Wf  | -                 | G cut
Wc  | Cc write  | -         | Gc cut  | !        | -         | !     | -      | Wcf | -                 | Gc cut
Wb  | Cb write  | -         | Gb cut  | !        | -         | !     | -      | Wf  | -                 | Gb cut
Wf  | Cf write  | -         | Gf cut  | !        | -         | !     | -      | -   | -                 | Gf cut
Wcf | Ccf write | -         | Gcf cut | !        | -         | !     | -      | -   | -                 | Gcf cut
C   | -         | -         | -       | !        | T timer   | Cc    | Cb     | Cf  | -                 | G cut
Cc  | -         | -         | -       | !        | Tc timer  | !     | -      | Ccf | -                 | Gc cut
Cb  | -         | -         | -       | !        | Tb timer  | !     | -      | Cf  | -                 | Gb cut
Cf  | -         | -         | -       | !        | Tf timer  | !     | -      | -   | -                 | Gf cut
Ccf | -         | -         | -       | !        | Tcf timer | !     | -      | -   | -                 | Gcf cut
T   | -         | -         | -       | !        | -         | Tc    | Tb     | Tf  | -                 | G cut
Tc  | -         | -         | -       | !        | -         | !     | -      | Tcf | Fc timer toClient | Gc cut
Tb  | -         | -         | -       | !        | -         | !     | -      | Tf  | Fb timer fin      | Gb cut
Tf  | -         | -         | -       | !        | -         | !     | -      | -   | Gf fin cut        | Gf cut
Tcf | -         | -         | -       | !        | -         | !     | -      | -   | Gcf toClient cut  | Gcf cut
F   | -         | -         | -       | !        | -         | Fc    | Fb     | Ff  | -                 | G cut
Fc  | -         | -         | -       | !        | -         | !     | -      | Fcf | -                 | Gc cut
Fb  | -         | -         | -       | !        | -         | !     | -      | Ff  | -                 | Gb cut
Ff  | -         | -         | -       | !        | -         | !     | -      | -   | Gf cut            | Gf cut
Fcf | -         | -         | -       | !        | -         | !     | -      | -   | Gcf cut           | Gcf cut
G   | -         | -         | -       | !        | -         | Gc    | Gb     | Gf  | -                 | -
Gc  | -         | -         | -       | !        | -         | !     | -      | Gcf | -                 | -
Gb  | -         | -         | -       | !        | -         | !     | -      | Gf  | -                 | -
Gf  | -         | -         | -       | !        | -         | !     | -      | -   | -                 | -
Gcf | -         | -         | -       | !        | -         | !     | -      | -   | -                 | -
`;

function outcome(phase: Phase, event: ClosingEvent): string {
  const step = closingStep(phase, event);
  if (step === null) return '!';
  if (step.next === phase && step.actions === 0) return '-';
  let left = step.actions;
  const words = WORDS.filter(([, bits]) => {
    const isMeant = (left & bits) === bits;
    if (isMeant) left &= ~bits;
    return isMeant;
  });
  expect(left, 'actions without a word').toBe(0);
  return [NAMES.get(step.next), ...words.map(([word]) => word)].join(' ');
}

test('each phase and event leads to what the table says', () => {
  const [head, ...rows] = TABLE.trim()
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()));
  expect(head).toEqual(['-', ...Object.keys(ClosingEvent)]);
  expect(rows.map(([name]) => name)).toEqual([...NAMES.values()]);
  expect(PHASES).toEqual(rows.map((_, i) => i));
  for (const [i, [name, ...cells]] of rows.entries()) {
    expect([name, ...EVENTS.map((event) => outcome(i, event))]).toEqual([name, ...cells]);
  }
});

test('what a phase tells', () => {
  const named = (isSo: (phase: Phase) => boolean): string =>
    PHASES.filter(isSo)
      .map((p) => NAMES.get(p))
      .join(' ');
  expect(NAMES.get(OPEN)).toBe('N');
  expect(named(isGone)).toBe('G Gc Gb Gf Gcf');
  expect(named((phase) => !isFinished(phase))).toBe('N W C T F');
  expect(named(hasSaidClose)).toBe('Nc Ncf Wc Wcf Cc Ccf Tc Tcf Fc Fcf Gc Gcf');
});

interface Way {
  readonly phase: Phase;
  /** All actions that were asked for on it, in order. */
  readonly done: readonly number[];
}

/** Every way from the first phase, each phase at most once on it. */
function ways(from: Way = { phase: OPEN, done: [] }, seen: ReadonlySet<Phase> = new Set([OPEN])): Way[] {
  return [
    from,
    ...EVENTS.flatMap((event) => {
      const step = closingStep(from.phase, event);
      if (step === null || seen.has(step.next)) return [];
      return ways({ phase: step.next, done: [...from.done, step.actions] }, new Set([...seen, step.next]));
    }),
  ];
}

describe('on every way', () => {
  const all = ways();
  const count = ({ done }: Way, action: number): number => done.filter((one) => (one & action) !== 0).length;
  const isTold = (phase: Phase): boolean => /^[CTF]/.test(NAMES.get(phase) ?? '');

  test('all phases are met but one in which FINs are awaited of who has said nothing', () => {
    const met = new Set(all.map(({ phase }) => phase));
    expect(PHASES.filter((phase) => !met.has(phase)).map((phase) => NAMES.get(phase))).toEqual(['F']);
  });

  test('no step leads back: a phase that was left does not come again', () => {
    for (const phase of PHASES) {
      for (const event of EVENTS) {
        const step = closingStep(phase, event);
        if (step === null) continue;
        const [told, said] = [Math.floor(phase / 5), phase % 5];
        expect(Math.floor(step.next / 5)).toBeGreaterThanOrEqual(told);
        if (step.next % 5 !== said) expect(step.next % 5).toBeGreaterThan(said);
      }
    }
  });

  test('at most one Close is written or relayed, one FIN sent, and the connection closed once, at last', () => {
    for (const way of all) {
      const fins = count(way, ClosingAction.Fin | ClosingAction.FinToClient);
      expect([count(way, ClosingAction.Look) <= 1, fins <= 1]).toEqual([true, true]);
      expect(count(way, ClosingAction.Destroy)).toBe(isGone(way.phase) ? 1 : 0);
      const closedAt = way.done.findIndex((actions) => (actions & ClosingAction.Destroy) !== 0);
      if (closedAt >= 0) expect(way.done.slice(closedAt + 1).every((actions) => actions === 0)).toBe(true);
    }
  });

  test('a FIN goes out behind a Close only', () => {
    for (const { done } of all) {
      const finAt = done.findIndex((actions) => (actions & (ClosingAction.Fin | ClosingAction.FinToClient)) !== 0);
      const closeAt = done.findIndex((actions) => (actions & ClosingAction.Look) !== 0);
      if (finAt >= 0) expect(closeAt >= 0 && closeAt < finAt).toBe(true);
    }
  });

  test('the timer runs while anything is awaited that write_stall does not bound', () => {
    for (const { phase, done } of all) {
      let runs = false;
      for (const actions of done) {
        if ((actions & ClosingAction.StartTimer) !== 0) runs = true;
        if ((actions & ClosingAction.StopTimer) !== 0) runs = false;
      }
      expect([NAMES.get(phase), runs]).toEqual([NAMES.get(phase), /^[WTF]/.test(NAMES.get(phase) ?? '')]);
    }
  });

  test('whoever was told, has taken it and is finished goes on to the FINs, and with a FIN to the end', () => {
    for (const phase of PHASES.filter(isTold)) {
      let at = phase;
      const events = [ClosingEvent.Taken, ClosingEvent.Broken, ClosingEvent.Settled, ClosingEvent.Fin];
      for (const event of [...events, ClosingEvent.Settled]) at = closingStep(at, event)?.next ?? at;
      expect([NAMES.get(phase), isGone(at)]).toEqual([NAMES.get(phase), true]);
    }
  });

  test('from everywhere it can be cut off, which is final', () => {
    for (const phase of PHASES) {
      const gone = closingStep(phase, ClosingEvent.Cut)?.next ?? OPEN;
      expect(isGone(gone)).toBe(true);
      for (const event of EVENTS) expect(closingStep(gone, event)?.actions ?? 0).toBe(0);
      expect(hasSaidClose(gone)).toBe(hasSaidClose(phase));
    }
  });
});
