// For each row about what a handshake takes and waits for the smallest source edit that removes its rule.

import type { Mutant } from './mutants.ts';

export const ADMISSION_MUTANTS: readonly Mutant[] = [
  {
    row: 'E50',
    at: 'Http1Connection.close',
    search: 'state.handshake.leave();',
    replace: 'void state;',
    why: 'a connection that is cut off keeps its seat, its slot and its backend',
  },
  {
    row: 'E51',
    at: 'Handshake.beginSession',
    search: 'if (this.refuseIfClosed(opened)) return;',
    replace: '',
    why: 'what was decided at the head is not looked at again',
  },
  {
    row: 'E52',
    at: 'HandshakeSlots.leave',
    search: 'if (queue !== undefined) this.noteRoom(queue);\n      this.pumpSoon();',
    replace: '',
    why: 'whoever waits is not told that there is room',
  },
  {
    row: 'E52',
    at: 'Operations.drainRoute',
    search: 'for (const connection of [...edge.connections]) connection.lookAgain();',
    replace: '',
    why: 'whoever waits on a drained route is told at its turn',
  },
  {
    row: 'E53',
    at: 'UpstreamRegistry.plan',
    search: 'upstream.handshakesMax = handshakesMaxOf(one, config.limits, isAlone);',
    replace: '',
    why: 'one upstream may have all',
  },
  {
    row: 'E54',
    at: 'Edge.accept',
    search: 'const claim = this.quotas.arrive(peer, this.clock.now(), null);',
    replace: "const claim = this.quotas.arrive('', this.clock.now(), null);",
    why: 'a connection counts only once its head is complete',
  },
  {
    row: 'E54',
    at: 'Edge.accept',
    search: "const peer = listener.rulesIn(this.snapshot).trusts(remoteAddress) ? '' : remoteAddress;",
    replace: 'const peer = remoteAddress;',
    why: 'a trusted proxy counts as one client',
  },
  {
    row: 'E55',
    at: 'Overflow.letAsk',
    search: 'return isFull ? (oldest ?? null) : null;',
    replace: 'return isFull ? connection : null;',
    why: 'whoever came first keeps the places',
  },
  {
    row: 'E56',
    at: 'networkKeyOf',
    search: 'if (!clientKey.endsWith(CLIENT_SUFFIX)) return null;',
    replace: 'if (clientKey.length >= 0) return null;',
    why: 'a /48 is 65536 clients',
  },
  {
    row: 'E57',
    at: 'Edge.nextRequestId',
    search: 'return this.ids.next();',
    replace: "return this.instanceId + this.ids.next().replace(/./g, '0').slice(0, 16);",
    why: 'an id tells who made it',
  },
  {
    row: 'E58',
    at: 'HandshakeTurns.takeOne',
    search: 'this.taken >= this.turnMax',
    replace: 'false',
  },
  {
    row: 'E58',
    at: 'Handshake.leave',
    search: "if (state.kind === 'queued') this.context.headTurns.leave(state.waiter);",
    replace: '',
    why: 'who has left is checked, and keeps its seat',
  },
];
