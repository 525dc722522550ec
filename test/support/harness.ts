// A whole proxy in the test's own process, on a free port, with its log caught and checked line by line.

import { expect } from 'vitest';
import { type ConfigInput, createProxy, type Proxy as Framegate, type ProxyOptions } from '../../src/proxy.ts';
import { atTestEnd } from './cleanup.ts';
import { type LogLine, LogTap } from './log-tap.ts';
import { transportMode } from './transport-mode.ts';
import { workersOf } from './worker-fleet.ts';

export interface HarnessOptions extends Omit<ProxyOptions, 'log'> {
  deadlineMs?: number;
}

export interface RunningProxy {
  readonly proxy: Framegate;
  /** The first listener's port; 0 on a unix socket. */
  readonly port: number;
  /** The log so far. */
  readonly logs: readonly LogLine[];
  logsOf(event: string): LogLine[];
  /** The first line of that event, past or to come, that `fits`. */
  waitForLog(event: string, fits?: (line: LogLine) => boolean): Promise<LogLine>;
  /** Stops the proxy; done by itself when the test ends. */
  stop(): Promise<void>;
}

/** One listener on a free port, to be spread into a config. */
export const anyPort = [{ name: 'test', address: '127.0.0.1:0' }];

/** A route for proxies that are to relay nothing: a config needs one. */
export const nowhere = { name: 'nowhere', match: { path: '/nowhere' }, upstream: 'builtin:echo' };

type RouteInput = ConfigInput['routes'][number];

/** The config of a proxy with one route, `/*`, to one backend. */
export function oneRoute(
  backendUrl: string,
  route: Partial<RouteInput> = {},
  config: Partial<ConfigInput> = {},
): ConfigInput {
  return { listeners: anyPort, routes: [{ name: 'test', upstream: backendUrl, ...route }], ...config };
}

/** Starts a proxy that is stopped when the test ends. A config without listeners gets one on a free port. */
export async function startProxy(
  config: ConfigInput | ((base: ConfigInput) => ConfigInput),
  options: HarnessOptions = {},
): Promise<RunningProxy> {
  const { deadlineMs, ...proxyOptions } = options;
  const tap = new LogTap(deadlineMs);
  const lines = { write: (line: string) => tap.write(line.endsWith('\n') ? line : `${line}\n`) };
  const base: ConfigInput = { listeners: anyPort, routes: [nowhere] };
  const input = typeof config === 'function' ? config(base) : { ...base, ...config };
  const { clock, wallNow, env } = proxyOptions;
  const workers = workersOf({ log: lines, ...defined({ clock, wallNow, env }) });
  const proxy = createProxy(input, { transport: transportMode, ...workers, ...proxyOptions, log: lines });
  let stopped: Promise<void> | null = null;
  const stop = (): Promise<void> => {
    stopped ??= proxy.stop();
    return stopped;
  };
  atTestEnd(async () => {
    await stop();
    expect(tap.faults, 'log lines that are not one JSON object of printable ASCII').toEqual([]);
  });
  await proxy.start();
  const address = proxy.address();
  return {
    proxy,
    port: typeof address === 'string' ? 0 : address.port,
    logs: tap.lines,
    logsOf: (event) => tap.lines.filter((line) => line.event === event),
    waitForLog: (event, fits) => tap.waitFor(event, fits),
    stop,
  };
}

/** Options that are undefined are no options. */
function defined<T extends object>(options: { [K in keyof T]: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
}
