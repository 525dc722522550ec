// A framegate in a process that can look at itself: starts a proxy, and tells on request what its memory holds.
// Run with --expose-gc, so that garbage is not taken for memory in use.

import { setTimeout as delay } from 'node:timers/promises';
import { getHeapSnapshot } from 'node:v8';
import { type ConfigInput, createProxy } from '../../src/proxy.ts';
import type { TlsFiles } from '../load/tls.ts';
import { answerMessages } from '../support/child-process.ts';
import { type ClassSize, classSizes } from './heap-classes.ts';

export type AttributionRequest =
  | {
      readonly kind: 'start';
      readonly backendPort: number;
      readonly tls: TlsFiles | null;
      readonly keys: Omit<ConfigInput, 'routes'>;
    }
  | { readonly kind: 'look' }
  | { readonly kind: 'stop' };

export interface AttributionReply {
  readonly port: number;
  /** `process.memoryUsage()` after a garbage collection. */
  readonly usage: NodeJS.MemoryUsage;
  readonly classes: readonly ClassSize[];
}

const HOST = '127.0.0.1';
const state: { proxy: ReturnType<typeof createProxy> | null; port: number } = { proxy: null, port: 0 };

answerMessages<AttributionRequest, AttributionReply>(async (request) => {
  if (request.kind === 'start') {
    const { tls } = request;
    const secure = tls === null ? {} : { tls: { certificates: [{ cert: tls.cert, key: tls.key }] } };
    const routes = [{ upstream: `ws://${HOST}:${request.backendPort}` }];
    state.proxy = createProxy(
      { ...request.keys, listeners: [{ address: `${HOST}:0`, ...secure }], routes },
      { log: { write() {} } },
    );
    await state.proxy.start();
    const address = state.proxy.address();
    state.port = typeof address === 'string' ? 0 : address.port;
  }
  if (request.kind === 'stop') await state.proxy?.stop();
  await collectGarbage();
  const usage = process.memoryUsage();
  const classes = request.kind === 'look' ? [...classSizes(await snapshotText()).values()] : [];
  return { port: state.port, usage, classes };
});

/** Twice: what finalizers let go of in the first is freed in the second. */
async function collectGarbage(): Promise<void> {
  const collect: unknown = Reflect.get(globalThis, 'gc');
  if (typeof collect !== 'function') throw new Error('run with --expose-gc');
  for (let i = 0; i < 2; i++) {
    collect();
    await delay(50);
  }
}

async function snapshotText(): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of getHeapSnapshot()) parts.push(Buffer.from(part));
  return Buffer.concat(parts).toString('utf8');
}
