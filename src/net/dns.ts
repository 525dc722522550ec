// Look-ups of discovery: name servers are asked directly, apart from the system's look-ups, which dials use. Each round
// has a resolver of its own, so that nothing of one is left for the next; not too many of them run at a time.

import { NODATA, NOTFOUND } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import type { Clock } from '../limits/clock.ts';
import { Alarm, type TimerWheel } from '../limits/timer-wheel.ts';

/** Of one question to one server; asked a second time it has twice as long. */
const TRY_MS = 2_000;
const TRIES = 2;
/** Of a round, from its turn on. */
const ROUND_MS = 10_000;
/** The others wait for their turn: at a start thousands can be due at once. */
const ROUNDS_MAX = 64;
/** Each reads the system's settings. */
const BEGUN_PER_TURN_MAX = 8;

export interface SrvRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/** `none`: the name, or a record of that type, does not exist. */
export type DnsAnswer<T> =
  | { readonly kind: 'found'; readonly records: readonly T[] }
  | { readonly kind: 'none'; readonly code: string }
  | { readonly kind: 'failed'; readonly code: string };

export interface Asker {
  addresses(name: string, family: 4 | 6): Promise<DnsAnswer<string>>;
  services(name: string): Promise<DnsAnswer<SrvRecord>>;
}

/** What a round is made of; it ends with `done`, unless it was cancelled before. */
interface RoundOptions<T> {
  /** Empty: the system's. */
  readonly servers: readonly string[];
  /** Never rejects: questions are answered in any case. */
  work(asker: Asker): Promise<T>;
  done(result: T): void;
}

export interface DnsRound {
  cancel(): void;
}

interface DnsRoundsOptions {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
}

export class DnsRounds {
  private readonly options: DnsRoundsOptions;
  /** One for each upstream at most. */
  private readonly waiting = new Set<Round>();
  private running = 0;
  private isDue = false;

  constructor(options: DnsRoundsOptions) {
    this.options = options;
  }

  begin<T>({ servers, work, done }: RoundOptions<T>): DnsRound {
    const run = async (round: Round): Promise<void> => {
      const result = await round.ask(servers, work);
      this.running -= 1;
      this.goOn();
      if (!round.isCancelled) done(result);
    };
    const round = new Round(this.options, (one) => void run(one));
    this.waiting.add(round);
    this.goOn();
    return {
      cancel: () => {
        this.waiting.delete(round);
        round.cancel();
      },
    };
  }

  private goOn(): void {
    if (this.isDue || this.waiting.size === 0 || this.running >= ROUNDS_MAX) return;
    this.isDue = true;
    setImmediate(() => {
      this.isDue = false;
      let begun = 0;
      for (const round of this.waiting) {
        if (begun === BEGUN_PER_TURN_MAX || this.running >= ROUNDS_MAX) break;
        begun += 1;
        this.running += 1;
        this.waiting.delete(round);
        round.run(round);
      }
      this.goOn();
    });
  }
}

class Round implements Asker {
  isCancelled = false;
  readonly run: (round: Round) => void;
  private readonly options: DnsRoundsOptions;
  private readonly alarm = new Alarm(() => this.resolver?.cancel());
  private resolver: Resolver | null = null;
  /** There is no resolver to be had, such as for want of descriptors. */
  private fault: DnsAnswer<never> | null = null;

  constructor(options: DnsRoundsOptions, run: (round: Round) => void) {
    this.options = options;
    this.run = run;
  }

  async ask<T>(servers: readonly string[], work: (asker: Asker) => Promise<T>): Promise<T> {
    const { clock, wheel } = this.options;
    wheel.schedule(this.alarm, clock.now() + ROUND_MS);
    try {
      this.resolver = resolverOf(servers);
    } catch (error) {
      this.fault = { kind: 'failed', code: codeOf(error) };
    }
    try {
      return await work(this);
    } finally {
      wheel.cancel(this.alarm);
      this.resolver = null;
    }
  }

  cancel(): void {
    this.isCancelled = true;
    this.resolver?.cancel();
  }

  addresses(name: string, family: 4 | 6): Promise<DnsAnswer<string>> {
    return this.answer((resolver) => (family === 4 ? resolver.resolve4(name) : resolver.resolve6(name)));
  }

  services(name: string): Promise<DnsAnswer<SrvRecord>> {
    return this.answer((resolver) => resolver.resolveSrv(name));
  }

  private async answer<T>(question: (resolver: Resolver) => Promise<readonly T[]>): Promise<DnsAnswer<T>> {
    if (this.fault !== null) return this.fault;
    // Its time is over: what would be asked now would be cancelled by nobody.
    if (this.resolver === null || this.isCancelled || this.alarm.wheelNext === null) return LATE;
    try {
      return { kind: 'found', records: await question(this.resolver) };
    } catch (error) {
      const code = codeOf(error);
      if (code === NODATA || code === NOTFOUND) return { kind: 'none', code };
      return code === 'ECANCELLED' ? LATE : { kind: 'failed', code };
    }
  }
}

const LATE = { kind: 'failed', code: 'ETIMEOUT' } as const;

function resolverOf(servers: readonly string[]): Resolver {
  const resolver = new Resolver({ timeout: TRY_MS, tries: TRIES });
  if (servers.length > 0) resolver.setServers(servers);
  return resolver;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'EUNKNOWN';
}
