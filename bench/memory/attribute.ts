// What the growth of framegate's memory consists of: a proxy in a process that looks at itself, before and after.

import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { binFlags } from '../load/peers.ts';
import type { Rig } from '../load/rig.ts';
import { ChildScript } from '../support/child-process.ts';
import type { Progress } from '../support/progress.ts';
import { bytes, figure, markdownTable } from '../support/table.ts';
import type { AttributionReply, AttributionRequest } from './attribution.ts';
import { byGroup } from './groups.ts';
import { type ClassSize, growth } from './heap-classes.ts';
import { keysFor, LOAD, type MeasureOptions, planFor } from './measure.ts';

const SCRIPT = fileURLToPath(new URL('./attribution.js', import.meta.url));
const CLASSES_SHOWN = 20;
const FIRST_SESSIONS = 500;
/** Less is not worth a line. */
const CLASS_BYTES_MIN = 4;

export interface Attribution {
  readonly heap: number;
  readonly external: number;
  readonly resident: number;
  readonly groups: readonly { readonly name: string; readonly bytes: number }[];
  readonly classes: readonly ClassSize[];
}

/** Over TLS when the rig has it. */
export async function attribute(rig: Rig, options: MeasureOptions, progress: Progress): Promise<Attribution> {
  const { sessions, settleMs } = options;
  const { tls, files } = rig;
  const planOn = (port: number, count: number) => ({ ...planFor(port, count, options.request), tls });
  const nodeArgs = [...binFlags(), '--expose-gc'];
  const child = new ChildScript<AttributionRequest, AttributionReply>(SCRIPT, { core: null, nodeArgs });
  try {
    const { port } = await child.ask({
      kind: 'start',
      backendPort: rig.backendPort,
      tls: files,
      keys: keysFor(options.request),
    });
    // The first sessions make what all share, compiled code above all; the first look makes what looking needs.
    await rig.generator.open('first', planOn(port, FIRST_SESSIONS));
    await rig.generator.echoOnce('first');
    await rig.generator.close('first');
    await child.ask({ kind: 'look' });
    const before = await child.ask({ kind: 'look' });
    progress.status(`attribution: opening ${sessions} sessions`);
    await rig.generator.open(LOAD, planOn(port, sessions));
    await rig.generator.echoOnce(LOAD);
    await delay(settleMs);
    const after = await child.ask({ kind: 'look' });
    progress.step('attribution: done');
    const classes = growth(mapOf(before.classes), mapOf(after.classes));
    const each = ({ name, count, bytes: sum }: ClassSize) => ({ name, count: count / sessions, bytes: sum / sessions });
    const perSession = classes.map(each);
    const grown = (pick: (usage: NodeJS.MemoryUsage) => number) => (pick(after.usage) - pick(before.usage)) / sessions;
    return {
      heap: grown((usage) => usage.heapUsed),
      external: grown((usage) => usage.external),
      resident: grown((usage) => usage.rss),
      groups: byGroup(perSession),
      classes: perSession.filter((one) => one.bytes >= CLASS_BYTES_MIN).slice(0, CLASSES_SHOWN),
    };
  } finally {
    await rig.generator.close(LOAD);
    await child.stop();
  }
}

function mapOf(classes: readonly ClassSize[]): Map<string, ClassSize> {
  return new Map(classes.map((one) => [one.name, one]));
}

export function attributionText(found: Attribution): string {
  const { heap, external, resident, groups, classes } = found;
  const outside = resident - heap - external;
  return [
    '### What a session of framegate holds',
    `In a process of its own after a garbage collection: resident memory grows by ${bytes(resident)} per session, of ` +
      `that the JavaScript heap by ${bytes(heap)}, external memory by ${bytes(external)}. What is left, ` +
      `${bytes(outside)}, is native: handles of libuv, allocator and heap pages that are not full.`,
    markdownTable(
      ['group', 'bytes per session'],
      groups.filter((group) => group.bytes >= CLASS_BYTES_MIN).map((group) => [group.name, figure(group.bytes)]),
    ),
    markdownTable(
      ['class', 'objects per session', 'bytes per session'],
      classes.map((one) => [`\`${one.name}\``, figure(one.count), figure(one.bytes)]),
    ),
  ].join('\n\n');
}
