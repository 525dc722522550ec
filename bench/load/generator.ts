// The process of the load generator: does what it is asked over IPC, one thing at a time.

import { answerMessages } from '../support/child-process.ts';
import { EchoLoad, type LoadPlan, type Window, type WindowResult } from './echo-load.ts';
import { type HandshakePlan, type HandshakeResult, runHandshakes } from './handshakes.ts';
import { WireMaker } from './wire.ts';

export type GeneratorRequest =
  | { readonly kind: 'open'; readonly name: string; readonly plan: LoadPlan; readonly byTheClock: boolean }
  | { readonly kind: 'run'; readonly name: string; readonly window: Window }
  | { readonly kind: 'echo-once'; readonly name: string }
  | { readonly kind: 'close'; readonly name: string }
  | { readonly kind: 'handshakes'; readonly plan: HandshakePlan };

/** `run` gives a WindowResult, `handshakes` a HandshakeResult, the others nothing. */
export type GeneratorReply = WindowResult | HandshakeResult | null;

const maker = new WireMaker();
const loads = new Map<string, EchoLoad>();

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
    case 'echo-once':
      await loadOf(request.name).echoOnce();
      return null;
    case 'close':
      loads.get(request.name)?.close();
      loads.delete(request.name);
      return null;
    case 'handshakes':
      return runHandshakes(maker, request.plan);
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
