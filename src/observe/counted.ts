// What is counted as plain data, which may go to another process and is added to what was counted there: several
// processes read as one. Fields that are numbers are added up, objects field by field; what is told otherwise says how.

export interface DumpAsk {
  /** The clock that what lasts was counted by. */
  readonly now: number;
  /** Distributions, too: what metrics and advice need, and a status does not. */
  readonly inFull: boolean;
}

export interface AddAsk {
  /** The clock of the sum. */
  readonly now: number;
  /** It was counted by a process that is gone: what it had open is gone, too. */
  readonly isGone: boolean;
}

/** Something that is not just its fields. */
export interface Counted {
  /** Of the kinds that structured clones keep; undefined: nothing was counted. */
  dump(ask: DumpAsk): unknown;
  /** `dump`: of one like it. */
  addDump(dump: unknown, ask: AddAsk): void;
}

/** What is the case now, by the names of its fields: of a process that is gone nothing is. */
const GAUGES: ReadonlySet<string> = new Set([
  'sessionsOpen',
  'connectionsOpen',
  'httpRequestsOpen',
  'tlsHandshakesOpen',
  'open',
  'waiting',
  'buffered',
  'paused',
]);

/** All fields but those `except`; texts and switches are no counts. Undefined: all are as they were made. */
export function dumpFields(of: object, ask: DumpAsk, except?: ReadonlySet<string>): object | undefined {
  const fields = of as Readonly<Record<string, unknown>>; // read by the names of its own
  let told: Record<string, unknown> | undefined;
  for (const key of Object.keys(fields)) {
    if (except?.has(key) === true) continue;
    const dump = dumpOf(fields[key], ask);
    if (dump === undefined) continue;
    told ??= {};
    told[key] = dump;
  }
  return told;
}

export function addFields(to: object, dump: unknown, ask: AddAsk): void {
  for (const [key, told] of Object.entries(dump ?? {})) {
    const own: unknown = Reflect.get(to, key);
    if (typeof own === 'number') {
      if (!ask.isGone || !GAUGES.has(key)) Reflect.set(to, key, own + Number(told));
    } else if (isCounted(own)) own.addDump(told, ask);
    else if (typeof own === 'object' && own !== null) addFields(own, told, ask);
  }
}

function dumpOf(value: unknown, ask: DumpAsk): unknown {
  if (typeof value === 'number') return value === 0 ? undefined : value;
  if (isCounted(value)) return value.dump(ask);
  return typeof value === 'object' && value !== null ? dumpFields(value, ask) : undefined;
}

export function isCounted(value: unknown): value is Counted {
  return typeof value === 'object' && value !== null && 'dump' in value && 'addDump' in value;
}

/** A map of numbers, as `Counted.dump` has told it. */
export function* numbersOf(dump: unknown): Generator<[name: string, value: number]> {
  if (!(dump instanceof Map)) return;
  for (const [name, value] of dump) yield [String(name), Number(value)];
}
