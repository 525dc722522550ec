// The process of the clients: does what it is asked over IPC.

import { WireMaker } from '../load/wire.ts';
import { answerMessages } from '../support/child-process.ts';
import { ClientFleet, type FleetPlan, type FleetResult, type FleetState } from './client-fleet.ts';

export type ClientsRequest =
  | { readonly kind: 'open'; readonly plan: FleetPlan }
  | { readonly kind: 'mark' }
  | { readonly kind: 'state' }
  | { readonly kind: 'finish' }
  | { readonly kind: 'abandon' };

/** `state` and `finish` give one, others nothing. */
export type ClientsReply = FleetState | FleetResult | null;

const maker = new WireMaker();
let fleet: ClientFleet | null = null;

answerMessages<ClientsRequest, ClientsReply>(async (request) => {
  if (request.kind === 'open') {
    fleet = new ClientFleet(maker, request.plan);
    await fleet.open();
    return null;
  }
  if (request.kind === 'abandon') {
    fleet?.abandon();
    return null;
  }
  if (fleet === null) throw new Error('no clients are there');
  switch (request.kind) {
    case 'mark':
      fleet.mark();
      return null;
    case 'state':
      return fleet.state();
    case 'finish':
      return fleet.finish();
    default:
      return unreachable(request);
  }
});

function unreachable(value: never): never {
  throw new Error(`not a request: ${String(value)}`);
}
