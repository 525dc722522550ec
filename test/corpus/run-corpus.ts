// Plays the corpus without sockets: every case in its cuts, against the strict reading, and within its CPU time.
// A case that breaks a rule becomes a sentence; nothing is thrown.

import { KEY } from '../protocol/heads.ts';
import { strictFault } from '../reference/request.ts';
import { strictSwitchFault } from '../reference/response.ts';
import { type CorpusCase, nameOf } from './corpus-case.ts';
import { type Cutting, cutsOf } from './cuts.ts';
import { forwardedFault } from './forwarded.ts';
import { frameStreams, type Side, type Size } from './frame-streams.ts';
import type { Entry } from './recorded.ts';
import { requestHeads } from './request-heads.ts';
import { requestVerdict, verdictInCuts } from './request-verdict.ts';
import { OFFERED, responseHeads } from './response-heads.ts';
import { responseVerdict, responseVerdictInCuts } from './response-verdict.ts';
import { causeOf, type StreamOptions, streamVerdictInCuts } from './stream-verdict.ts';

export interface CorpusRun {
  readonly cases: number;
  readonly entries: readonly Entry[];
  readonly faults: readonly string[];
  /** The most CPU time that one case took, in ms, and its name. */
  readonly dearest: { readonly ms: number; readonly name: string };
}

/** What no input may take. */
export const CASE_CPU_MS_MAX = 50;
/** A collection of garbage or another thread falls into some case; into the same one again and again it does not. */
const CPU_TRIES = 8;

class Recorder {
  readonly entries: Entry[] = [];
  readonly faults: string[] = [];
  dearest = { ms: 0, name: '' };

  attempt(name: string, check: () => void): void {
    try {
      check();
    } catch (error) {
      this.fault(name, error);
    }
  }

  fault(name: string, error: unknown): void {
    this.faults.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
  }

  async cost(name: string, run: () => unknown): Promise<void> {
    let ms = Number.POSITIVE_INFINITY;
    for (let i = 0; i < CPU_TRIES && ms >= CASE_CPU_MS_MAX; i += 1) {
      const before = process.cpuUsage();
      await run();
      const { user, system } = process.cpuUsage(before);
      ms = Math.min(ms, (user + system) / 1000);
    }
    if (ms > this.dearest.ms) this.dearest = { ms, name };
    if (ms >= CASE_CPU_MS_MAX) this.fault(name, `took ${ms} ms of CPU time`);
  }

  done(cases: number): CorpusRun {
    return { cases, entries: this.entries, faults: this.faults, dearest: this.dearest };
  }
}

/** Requests: accepted only if the strict reading accepts, and then forwarded as one request that it accepts too. */
export async function runRequests(cases: readonly CorpusCase[], cutting: Cutting): Promise<CorpusRun> {
  const recorder = new Recorder();
  for (const [index, one] of cases.entries()) {
    const { bytes } = one;
    const name = `request, ${nameOf(one)}`;
    await recorder.cost(name, () => requestVerdict(bytes));
    recorder.attempt(name, () => {
      const verdict = verdictInCuts(bytes, cutsOf(bytes.length, cutting, index));
      const strict = strictFault(bytes);
      if (verdict === 'accepted') {
        if (strict !== null) recorder.fault(name, `accepted, and strictly read: ${strict}`);
        const fault = forwardedFault(bytes);
        if (fault !== null) recorder.fault(name, `forwarded: ${fault}`);
      }
      const outcome = verdict === 'accepted' ? 'accepted' : strict === null ? 'refused by choice' : 'refused';
      recorder.entries.push({ kind: 'request', outcome, one });
    });
  }
  return recorder.done(cases.length);
}

/** Answers of a backend: a switch only where the strict reading sees one. */
export async function runAnswers(cases: readonly CorpusCase[], cutting: Cutting): Promise<CorpusRun> {
  const recorder = new Recorder();
  for (const [index, one] of cases.entries()) {
    const { bytes } = one;
    const name = `answer, ${nameOf(one)}`;
    await recorder.cost(name, () => responseVerdict([bytes]));
    try {
      const verdict = await responseVerdictInCuts(bytes, cutsOf(bytes.length, cutting, index));
      const strict = strictSwitchFault(bytes, { key: KEY, ...OFFERED });
      const isSwitched = verdict.startsWith('switched\n');
      if (isSwitched && strict !== null) recorder.fault(name, `accepted, and strictly read: ${strict}`);
      const outcome = isSwitched ? 'accepted' : strict === null ? 'refused by choice' : 'refused';
      recorder.entries.push({ kind: 'answer', outcome, one });
    } catch (error) {
      recorder.fault(name, error);
    }
  }
  return recorder.done(cases.length);
}

/** Streams of one side after the switch. */
export async function runStreams(options: StreamOptions, size: Size, cutting: Cutting): Promise<CorpusRun> {
  const recorder = new Recorder();
  const cases = streamsOf(options, size);
  for (const [index, one] of cases.entries()) {
    const { bytes } = one;
    const name = `${options.side}, ${nameOf(one)}`;
    await recorder.cost(name, () => causeOf(bytes, options));
    // A session is dearer than a parser, and its verdicts in one cut differ less from those in another.
    const cuts = cutsOf(bytes.length, cutting, index).slice(0, cutting === 'few' ? 1 : undefined);
    recorder.attempt(name, () => streamVerdictInCuts(bytes, cuts, options));
  }
  return recorder.done(cases.length);
}

/** With text checked or compression agreed only what these may change: text, and frames with RSV1. */
function streamsOf(options: StreamOptions, size: Size): CorpusCase[] {
  const cases = frameStreams(options.side, size);
  if (options.validateUtf8 === true) return cases.filter(({ group }) => /^(text|order|cut off|random)/.test(group));
  if (options.deflate === true)
    return cases.filter(({ group, variant }) => /^first two/.test(group) && /^[4c-f]/.test(variant));
  return cases;
}

export const STREAM_RUNS: readonly StreamOptions[] = (['client', 'backend'] as const satisfies Side[]).flatMap(
  (side) => [{ side }, { side, deflate: true }, { side, validateUtf8: true }],
);

/** Of the sweeps over single bytes every n-th, all of everything else. */
export function thinned(cases: readonly CorpusCase[], n: number): CorpusCase[] {
  return cases.filter(({ group }, index) => !group.startsWith('odd byte') || index % n === 0);
}

export { requestHeads, responseHeads };
