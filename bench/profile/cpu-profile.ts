// Reads what node --cpu-prof writes: which functions the samples were in. Pure.

/** The part of a .cpuprofile file that is used here. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
  }[];
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

export interface Share {
  /** `onBytes (session/peer.js)`; what V8 itself does stands in parentheses. */
  readonly name: string;
  /** Of the time that the process was not idle. */
  readonly share: number;
}

const IDLE = '(idle)';

/** Self time by function, the largest first. */
export function selfShares(profile: CpuProfile): Share[] {
  const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const micros = new Map<string, number>();
  profile.samples.forEach((id, index) => {
    const name = names.get(id) ?? '?';
    micros.set(name, (micros.get(name) ?? 0) + (profile.timeDeltas[index] ?? 0));
  });
  micros.delete(IDLE);
  const total = [...micros.values()].reduce((sum, one) => sum + one, 0);
  const shares = Array.from(micros, ([name, one]) => ({ name, share: one / total }));
  return shares.sort((a, b) => b.share - a.share);
}

function nameOf({ functionName, url }: { readonly functionName: string; readonly url: string }): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  const file = /(?:dist\/|node:)(.*)$/.exec(url)?.[1];
  return file === undefined ? name : `${name} (${file})`;
}
