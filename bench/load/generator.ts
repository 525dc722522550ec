// The process of the load generator: does what it is asked over IPC, one thing at a time.

import { answerMessages } from '../support/child-process.ts';
import { EchoLoad, type LoadPlan, type Window, type WindowResult } from './echo-load.ts';
import { type HandshakePlan, type HandshakeResult, runHandshakes } from './handshakes.ts';
import { type PlainPlan, type PlainResult, runPlain } from './plain-load.ts';
import { Storm, type StormPlan, type StormResult } from './storm.ts';
import { WireMaker } from './wire.ts';

export type GeneratorRequest =
  | { readonly kind: 'open'; readonly name: string; readonly plan: LoadPlan; readonly byTheClock: boolean }
  | { readonly kind: 'run'; readonly name: string; readonly window: Window }
  | { readonly kind: 'watch'; readonly name: string; readonly window: Window }
  | { readonly kind: 'unwatch' }
  | { readonly kind: 'echo-once'; readonly name: string }
  | { readonly kind: 'close'; readonly name: string }
  | { readonly kind: 'handshakes'; readonly plan: HandshakePlan }
  | { readonly kind: 'plain'; readonly plan: PlainPlan }
  | { readonly kind: 'arm-storm'; readonly plan: StormPlan }
  | { readonly kind: 'cut-storm' }
  | { readonly kind: 'storm' };

/** What `run` and `unwatch`, `handshakes`, `plain` and `storm` give; others nothing. */
export type GeneratorReply = WindowResult | HandshakeResult | PlainResult | StormResult | null;

const maker = new WireMaker();
const loads = new Map<string, EchoLoad>();
let unwatch: (() => Promise<WindowResult>) | null = null;
let storm: Storm | null = null;

answerMessages<GeneratorRequest, GeneratorReply>(async (request) => {
  switch (request.kind) {
    case 'open': {
      const load = new EchoLoad(maker, request.plan, request.byTheClock);
      loads.set(request.name, load);
      await load.open();
      return null;
    }
    case 'run':
      return loadOf(request.name).run(request.window);
    case 'watch':
      unwatch = loadOf(request.name).watch(request.window);
      return null;
    case 'unwatch':
      return unwatch === null ? null : unwatch();
    case 'echo-once':
      await loadOf(request.name).echoOnce();
      return null;
    case 'close':
      loads.get(request.name)?.close();
      loads.delete(request.name);
      return null;
    case 'handshakes':
      return runHandshakes(maker, request.plan);
    case 'plain':
      return runPlain(maker, request.plan);
    case 'arm-storm':
      storm = new Storm(maker, request.plan);
      await storm.arm();
      return null;
    case 'cut-storm':
      storm?.cut();
      return null;
    case 'storm':
      return storm === null ? null : storm.comeBack();
    default:
      return unreachable(request);
  }
});

function loadOf(name: string): EchoLoad {
  const load = loads.get(name);
  if (load === undefined) throw new Error(`no load ${name} is open`);
  return load;
}

function unreachable(value: never): never {
  throw new Error(`not a request: ${String(value)}`);
}
