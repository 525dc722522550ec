// Puts all grafts to one subject, one after the other.

import type { Graft } from './grafts.ts';
import { Probe, type Verdict } from './probe.ts';
import { type SubjectName, startSubject } from './subjects.ts';

export async function askSubject(name: SubjectName, grafts: readonly Graft[]): Promise<Map<string, Verdict>> {
  const subject = await startSubject(name);
  try {
    const probe = await Probe.of(subject);
    const verdicts = new Map<string, Verdict>();
    for (const graft of grafts) verdicts.set(graft.name, await probe.send(graft.bytes));
    return verdicts;
  } finally {
    await subject.stop();
  }
}
