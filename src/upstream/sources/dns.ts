// Targets by the addresses, or the services, of a name that is looked up again and again. What an answer means for the
// targets there are is the affair of `discovery`.

import type { DnsDiscovery, TargetConfig, UpstreamConfig } from '../../config/types.ts';
import { Alarm } from '../../limits/timer-wheel.ts';
import type { Asker, DnsAnswer, DnsRound, SrvRecord } from '../../net/dns.ts';
import { hostPort } from '../../protocol/addresses/host-port.ts';
import { parseIp, printIp } from '../../protocol/addresses/ip-address.ts';
import type { UpstreamMeans } from '../means.ts';
import { AllowedAddresses } from './allowed-addresses.ts';
import type { Finder, FinderListener } from './discovery.ts';
import { FOUND_MAX } from './held-list.ts';

/** Of `every`, to both sides: those who start together do not ask together for ever. */
const JITTER = 0.1;
/** After a failure it is asked again so soon, after each further one twice as late, up to `every`. */
const AGAIN_MS = 1_000;
const WEIGHT_MAX = 256;
const FAMILIES = [4, 6] as const;
/** Two questions for each. */
const NAMES_AT_ONCE = 8;
/** Of one look-up so much is looked at: each of a thousand services could have thousands of addresses. */
const PLACES_MAX = 4 * FOUND_MAX;
const TOO_MANY = `more than ${FOUND_MAX} targets`;
const NODATA = 'ENODATA';
/** RFC 2782: the labels of a service, which are no part of the name that its servers go by. */
const SERVICE_LABELS = /^(?:_[^.]+\.)+/;

type DnsMeans = Pick<UpstreamMeans, 'clock' | 'wheel' | 'random' | 'dns'>;

/** What one look-up came to. */
type Outcome =
  | { readonly kind: 'answer'; readonly targets: readonly TargetConfig[]; readonly leftOut: readonly string[] }
  | { readonly kind: 'absent'; readonly code: string }
  | { readonly kind: 'failed'; readonly code: string; readonly leftOut: readonly string[] };

interface FoundAddresses {
  readonly addresses: readonly string[];
  /** Families that could not be told now; what of them stands in `addresses` is from before. */
  readonly faults: readonly Fault[];
  /** Why there is none, when that was told. */
  readonly absent: string | null;
  /** At least one family was told now. */
  readonly isTold: boolean;
}

interface Fault {
  readonly code: string;
  /** For people. */
  readonly text: string;
}

interface Place {
  readonly address: string;
  readonly port: number;
  readonly weight: number;
  readonly backup: boolean;
}

export class DnsFinder implements Finder {
  readonly kind = 'dns';
  private readonly settings: DnsDiscovery;
  private readonly allow: UpstreamConfig['allow_addresses'];
  private readonly means: DnsMeans;
  private readonly alarm = new Alarm(() => this.look());
  /** Made when it is needed: a reload makes finders that never start. */
  private allowed: AllowedAddresses | null = null;
  private listener: FinderListener | null = null;
  private round: DnsRound | null = null;
  private failures = 0;
  /** Addresses in the last good answer, by family and name. Only names of the last look-up are in it. */
  private known: ReadonlyMap<string, readonly string[]> = new Map();

  constructor(settings: DnsDiscovery, allow: UpstreamConfig['allow_addresses'], means: DnsMeans) {
    this.settings = settings;
    this.allow = allow;
    this.means = means;
  }

  start(listener: FinderListener): void {
    this.listener = listener;
    this.look();
  }

  stop(): void {
    this.listener = null;
    this.round?.cancel();
    this.means.wheel.cancel(this.alarm);
  }

  /** The next one begins when this one is over. */
  private look(): void {
    this.allowed ??= new AllowedAddresses(this.allow);
    const { allowed } = this;
    const beganAt = this.means.clock.now();
    this.round = this.means.dns.begin({
      servers: this.settings.servers,
      work: (asker) => new LookUp(this.settings, allowed, asker, this.known).run(),
      done: ({ outcome, known }) => {
        this.known = known;
        this.take(outcome);
        if (this.listener === null) return;
        this.means.wheel.schedule(this.alarm, Math.max(this.means.clock.now(), beganAt + this.pauseMs()));
      },
    });
  }

  private take(outcome: Outcome): void {
    this.failures = outcome.kind === 'failed' ? this.failures + 1 : 0;
    const { name } = this.settings;
    switch (outcome.kind) {
      case 'answer':
        this.listener?.onAnswer(outcome);
        break;
      case 'absent':
        this.listener?.onAnswer({ targets: [], leftOut: [], absence: outcome.code });
        break;
      default:
        this.listener?.onFailure({ error: outcome.code, fields: { name, left_out: outcome.leftOut } });
    }
  }

  private pauseMs(): number {
    const { every } = this.settings;
    const pause = this.failures === 0 ? every : Math.min(every, AGAIN_MS * 2 ** (this.failures - 1));
    return pause * (1 + JITTER * (2 * this.means.random() - 1));
  }
}

/** One round of questions. */
class LookUp {
  private readonly settings: DnsDiscovery;
  private readonly allowed: AllowedAddresses;
  private readonly asker: Asker;
  private readonly before: ReadonlyMap<string, readonly string[]>;
  private readonly known = new Map<string, readonly string[]>();
  /** There would be more. */
  private isCut = false;

  constructor(
    settings: DnsDiscovery,
    allowed: AllowedAddresses,
    asker: Asker,
    before: ReadonlyMap<string, readonly string[]>,
  ) {
    this.settings = settings;
    this.allowed = allowed;
    this.asker = asker;
    this.before = before;
  }

  async run(): Promise<{ readonly outcome: Outcome; readonly known: ReadonlyMap<string, readonly string[]> }> {
    const outcome = await (this.settings.type === 'a' ? this.byAddresses() : this.byServices());
    // A round that was told nothing forgets nothing.
    return { outcome, known: this.known.size === 0 ? this.before : this.known };
  }

  private async byAddresses(): Promise<Outcome> {
    const { name, port } = this.settings;
    const { addresses, faults, absent, isTold } = await this.addressesOf(name);
    if (!isTold) return failure(faults);
    if (addresses.length === 0 && absent !== null) return { kind: 'absent', code: absent };
    return this.outcomeOf(
      addresses.map((address) => ({ address, port, weight: 1, backup: false })),
      faults,
    );
  }

  private async byServices(): Promise<Outcome> {
    const answer = await this.asker.services(this.settings.name);
    if (answer.kind === 'failed') return { kind: 'failed', code: answer.code, leftOut: [] };
    // RFC 2782: "." says that there is decidedly no such service.
    const records =
      answer.kind === 'none' ? [] : answer.records.filter(({ name, port }) => name !== '' && name !== '.' && port > 0);
    if (records.length === 0) return { kind: 'absent', code: answer.kind === 'none' ? answer.code : NODATA };
    const first = Math.min(...records.map(({ priority }) => priority));
    const weightOf = scaleOf(records);
    // Of two that are one target the better one counts; of too many those that come first in this order.
    records.sort((a, b) => Number(a.priority > first) - Number(b.priority > first) || inOrder(a, b));
    const found = await this.addressesOfAll(new Set(records.map(({ name }) => name)));
    const places = placesOf(
      records,
      (name) => found.get(name)?.addresses ?? [],
      (record) => ({
        port: record.port,
        weight: weightOf(record.weight),
        backup: record.priority > first,
      }),
    );
    const faults = [...found].flatMap(([name, { faults: own, absent }]) =>
      absent === null ? own : [{ code: absent, text: `${name}: ${absent}` }],
    );
    return [...found.values()].some(({ isTold }) => isTold) ? this.outcomeOf(places, faults) : failure(faults);
  }

  /** Some questions at a time. */
  private async addressesOfAll(names: ReadonlySet<string>): Promise<ReadonlyMap<string, FoundAddresses>> {
    const found = new Map<string, FoundAddresses>();
    const left = names.values();
    let count = 0;
    const askInTurn = async (): Promise<void> => {
      for (const name of left) {
        if (count >= PLACES_MAX) {
          this.isCut = true;
          return;
        }
        const one = await this.addressesOf(name);
        count += one.addresses.length;
        found.set(name, one);
      }
    };
    await Promise.all(Array.from({ length: NAMES_AT_ONCE }, askInTurn));
    return found;
  }

  /** Both families at once; one that cannot be told is as it was. */
  private async addressesOf(name: string): Promise<FoundAddresses> {
    const answers = await Promise.all(FAMILIES.map((family) => this.asker.addresses(name, family)));
    const faults: Fault[] = [];
    let absent: string | null = null;
    const addresses = answers.flatMap((answer, index) => {
      const type = FAMILIES[index] === 4 ? 'A' : 'AAAA';
      if (answer.kind === 'failed') faults.push({ code: answer.code, text: `${type} of ${name}: ${answer.code}` });
      if (answer.kind === 'none') absent ??= answer.code;
      return this.remembered(`${type} ${name}`, answer);
    });
    // That a name of one family has none of the other means nothing.
    const isAbsent = addresses.length === 0 && faults.length === 0;
    return { addresses, faults, absent: isAbsent ? absent : null, isTold: faults.length < FAMILIES.length };
  }

  private remembered(key: string, answer: DnsAnswer<string>): readonly string[] {
    const before = this.before.get(key);
    const records = answer.kind === 'found' ? answer.records : answer.kind === 'none' ? [] : before;
    if (records === undefined) return [];
    // Answers come in any order.
    const sorted = [...records].sort();
    this.known.set(key, sorted);
    return sorted;
  }

  private outcomeOf(places: Iterable<Place>, faults: readonly Fault[]): Outcome {
    const byName = new Map<string, TargetConfig>();
    const denied = new Set<string>();
    let looks = 0;
    for (const place of places) {
      looks += 1;
      this.isCut ||= looks > PLACES_MAX;
      if (looks > PLACES_MAX) break;
      const target = this.targetOf(place);
      if (!this.allowed.allows(place.address)) denied.add(`${place.address}: not in allow_addresses`);
      else if (byName.has(target.name)) continue;
      else if (byName.size < FOUND_MAX) byName.set(target.name, target);
      else this.isCut = true;
    }
    const leftOut = [...faults.map(({ text }) => text), ...denied, ...(this.isCut ? [TOO_MANY] : [])];
    if (byName.size === 0) return { kind: 'failed', code: faults[0]?.code ?? 'not_allowed', leftOut };
    const names = [...byName.keys()].sort();
    return { kind: 'answer', targets: names.flatMap((name) => byName.get(name) ?? []), leftOut };
  }

  /** It is reached by the address alone; TLS and Host go by the name that the config says. */
  private targetOf({ address, port, weight, backup }: Place): TargetConfig {
    const { name, type, scheme, path } = this.settings;
    const ip = parseIp(address);
    const at = hostPort({ host: ip === null ? address : printIp(ip), port });
    const host = type === 'srv' ? name.replace(SERVICE_LABELS, '') : name;
    return {
      name: at,
      url: `${scheme}://${at}${path}`,
      endpoint: { kind: 'tcp', host, address, port, secure: scheme === 'wss', base: path },
      weight,
      backup,
      max_sessions: Number.POSITIVE_INFINITY,
    };
  }
}

/** What is remembered is no answer: nobody said that it still is so. */
function failure(faults: readonly Fault[]): Outcome {
  return { kind: 'failed', code: faults[0]?.code ?? NODATA, leftOut: faults.map(({ text }) => text) };
}

/** The heavier first; what is level in one order, whatever that of the answer was. */
function inOrder(a: SrvRecord, b: SrvRecord): number {
  return b.weight - a.weight || (a.name < b.name ? -1 : Number(a.name > b.name)) || a.port - b.port;
}

/** One after the other: all together they may be too many. */
function* placesOf(
  records: readonly SrvRecord[],
  addressesOf: (name: string) => readonly string[],
  placeOf: (record: SrvRecord) => Omit<Place, 'address'>,
): Generator<Place> {
  for (const record of records) {
    const place = placeOf(record);
    for (const address of addressesOf(record.name)) yield { ...place, address };
  }
}

/** From 1 to 256, in the proportions of the records: as they are, where that is possible. */
function scaleOf(records: readonly SrvRecord[]): (weight: number) => number {
  const weights = records.map(({ weight }) => weight);
  const largest = Math.max(...weights);
  if (largest === 0) return () => 1;
  // RFC 2782: one of weight 0 beside others has a very small chance.
  const isInRange = largest <= WEIGHT_MAX && !weights.includes(0);
  return isInRange ? (weight) => weight : (weight) => Math.max(1, Math.round((weight * WEIGHT_MAX) / largest));
}
