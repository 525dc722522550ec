// All certificates that framegate gets by itself: those that the config in force names, each once, and the folders that
// they are kept in. A reload plans first: what cannot be looked after changes nothing.

import type { AcmeCertificate, Config, ListenerCertificate } from '../config/types.ts';
import type { ChallengeCertificate, LiveCertificates, Renewal } from '../net/live-certificates.ts';
import type { ServiceClient } from '../services/service-client.ts';
import { AcmeError } from './acme-error.ts';
import type { Library } from './authority.ts';
import { CertificateLife, type LifeMeans, type OrderCertificate } from './certificate-life.ts';
import { AcmeFolder } from './folder.ts';
import { order } from './order.ts';

/** What a config asks for and this machine cannot do. */
export class AcmeConfigError extends Error {
  /** Of the key in the config. */
  readonly path: string;

  constructor(path: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'AcmeConfigError';
    this.path = path;
  }
}

/** What another process serves. */
export interface ServedCertificate {
  /** Of its folder and id. */
  readonly key: string;
  readonly certificate: ListenerCertificate;
}

export interface AcmePlan {
  /** From here on its certificates are the ones. */
  commit(): void;
}

interface Options extends Omit<LifeMeans, 'order' | 'onServed'> {
  readonly service: Pick<ServiceClient, 'ask'>;
  /** STATE_DIRECTORY; '' without one. */
  readonly stateFolder: string;
  /** How one is ordered; over the network, unless given. */
  readonly order?: OrderCertificate;
}

export class AcmeCertificates implements LiveCertificates {
  private readonly options: Options;
  private readonly means: LifeMeans;
  private library: Library | null = null;
  /** By folder and id; at most as many as the config has. */
  private lives: ReadonlyMap<string, CertificateLife> = new Map();
  /** By path. */
  private folders: ReadonlyMap<string, AcmeFolder> = new Map();
  /** What another process serves, which looks after all of them for this one. */
  private told: ReadonlyMap<string, ListenerCertificate> = new Map();
  /** Another one than before is served from now on. */
  onServed: () => void = () => {};
  private hasBegun = false;
  private ending: Promise<unknown> = Promise.resolve();

  constructor(options: Options) {
    this.options = options;
    const { clock, wheel, wallNow, log, metrics, random } = options;
    this.means = {
      clock,
      wheel,
      wallNow,
      log,
      metrics,
      random,
      onServed: () => this.onServed(),
      order: options.order ?? ((settings, folder, signal) => this.order(settings, folder, signal)),
    };
  }

  /** Rejects with AcmeConfigError; nothing has changed then. */
  async prepare(config: Config): Promise<AcmePlan> {
    const lives = new Map<string, CertificateLife>();
    const folders = new Map<string, AcmeFolder>();
    const next: [CertificateLife, AcmeCertificate][] = [];
    for (const [index, { tls }] of config.listeners.entries()) {
      for (const settings of tls?.acme ?? []) {
        const path = `listeners[${index}].tls.certificates[${settings.position}].acme`;
        const where = this.folderOf(settings);
        if (where === null) throw new AcmeConfigError(`${path}.dir`, 'is required where there is no STATE_DIRECTORY');
        await this.needLibrary(path);
        const folder = folders.get(where) ?? (await this.openFolder(where, `${path}.dir`));
        folders.set(where, folder);
        const key = keyOf(where, settings);
        if (lives.has(key)) continue;
        const life = this.lives.get(key) ?? (await this.newLife(settings, folder, `${path}.dir`));
        lives.set(key, life);
        next.push([life, settings]);
      }
    }
    return {
      commit: () => {
        for (const [life, settings] of next) life.retune(settings);
        const gone = [...this.lives].filter(([key]) => !lives.has(key)).map(([, life]) => life.end());
        this.ending = Promise.all([this.ending, ...gone]);
        this.lives = lives;
        this.folders = folders;
        if (this.hasBegun) this.begin();
        this.onServed();
      },
    };
  }

  /** Clients may come in: from now on orders are made. */
  begin(): void {
    this.hasBegun = true;
    for (const life of this.lives.values()) life.begin();
  }

  async stop(): Promise<void> {
    await Promise.all([this.ending, ...[...this.lives.values()].map((life) => life.end())]);
  }

  /** All, for another process to `follow`. */
  get served(): readonly ServedCertificate[] {
    return [...this.lives].flatMap(([key, { certificate }]) => (certificate === null ? [] : [{ key, certificate }]));
  }

  /** In a process that orders nothing: those are served instead of what their folders had at its start. */
  follow(served: readonly ServedCertificate[]): void {
    const told = new Map<string, ListenerCertificate>();
    for (const { key, certificate } of served) {
      const known = this.told.get(key);
      // One and the same stays one object.
      told.set(key, known?.cert.equals(certificate.cert) === true ? known : certificate);
    }
    this.told = told;
  }

  current(one: AcmeCertificate): ListenerCertificate | null {
    const where = this.folderOf(one);
    if (where === null) return null;
    const key = keyOf(where, one);
    return this.told.get(key) ?? this.lives.get(key)?.certificate ?? null;
  }

  challengeFor(serverName: string): ChallengeCertificate | null {
    for (const { challenges } of this.folders.values()) {
      const found = challenges.certificateFor(serverName);
      if (found !== null) return found;
    }
    return null;
  }

  answerFor(token: string): string | null {
    for (const { challenges } of this.folders.values()) {
      const found = challenges.answerFor(token);
      if (found !== null) return found;
    }
    return null;
  }

  *renewals(): Generator<Renewal> {
    for (const life of this.lives.values()) yield { name: life.settings.domains[0] ?? '', at: life.nextAt };
  }

  private folderOf({ dir }: AcmeCertificate): string | null {
    const { stateFolder } = this.options;
    return dir ?? (stateFolder === '' ? null : `${stateFolder}/acme`);
  }

  private async openFolder(where: string, path: string): Promise<AcmeFolder> {
    // What is in use may be broken for a while: a reload for other reasons does not fail for it.
    const known = this.folders.get(where);
    if (known !== undefined) return known;
    const folder = new AcmeFolder(where, this.means);
    try {
      await folder.store.open();
    } catch (error) {
      throw configError(path, error);
    }
    return folder;
  }

  private async newLife(settings: AcmeCertificate, folder: AcmeFolder, path: string): Promise<CertificateLife> {
    const life = new CertificateLife(settings, folder, this.means);
    try {
      await life.load();
    } catch (error) {
      throw configError(path, error);
    }
    return life;
  }

  /** It brings 52 packages and takes a quarter of a second: only where it is used. */
  private async needLibrary(path: string): Promise<void> {
    if (this.library !== null || this.options.order !== undefined) return;
    try {
      this.library = await import('acme-client');
    } catch (error) {
      const isMissing = Reflect.get(error as object, 'code') === 'ERR_MODULE_NOT_FOUND';
      const why = isMissing ? 'needs the package acme-client' : 'acme-client cannot be loaded';
      throw new AcmeConfigError(path, `${why}: npm install acme-client`, { cause: error });
    }
  }

  private order(
    settings: AcmeCertificate,
    folder: AcmeFolder,
    signal: Parameters<OrderCertificate>[2],
  ): Promise<string> {
    const { library, means, options } = this;
    if (library === null) throw new AcmeError('internal', 'acme-client is not loaded');
    const { clock, wheel, wallNow } = means;
    const { store, challenges } = folder;
    return order(settings, { library, service: options.service, clock, wheel, wallNow, store, challenges }, signal);
  }
}

function keyOf(folder: string, { id }: AcmeCertificate): string {
  return `${folder}\n${id}`;
}

function configError(path: string, error: unknown): unknown {
  return error instanceof AcmeError ? new AcmeConfigError(path, error.message, { cause: error }) : error;
}
