// For each row about the connection of requests without upgrade the smallest source edit that removes its rule.

import type { Mutant } from './mutants.ts';

export const HTTP_CONNECTION_MUTANTS: readonly Mutant[] = [
  {
    row: 'H100',
    at: 'RequestReader.takeHead',
    search: "else if (framing.kind === 'none') this.part = WAITING;",
    replace: "else if (framing.kind === 'none') this.part = NEXT_HEAD;",
    why: 'what is behind a request does not wait for its answer',
  },
  {
    row: 'H101',
    at: 'RequestReader.readHeld',
    search: 'if (held !== null) this.take(held, 0, held.length);',
    replace: '',
    why: 'what waited is forgotten',
  },
  {
    row: 'H102',
    at: 'PlainConnection.goBack',
    search: 'this.table.upgrade(this, arrival, head, rest);',
    replace: 'this.table.upgrade(this, arrival, head, NOTHING);',
    why: 'frames that came while it waited are lost',
  },
  {
    row: 'H103',
    at: 'PlainConnection.onHead',
    search: 'if (asksForWebSocket(head.fields)) {',
    replace: 'if (head.fields.length === 0) {',
    why: 'an upgrade is refused as a request, and no backend is asked',
  },
  {
    row: 'H105',
    at: 'PlainConnection.onHead',
    search: 'if (asksForWebSocket(head.fields)) {',
    replace: 'if (asksForWebSocket(head.fields) && head.fields.length > 4) {',
    why: 'it is refused as a request',
  },
  { row: 'H106', at: 'SHARE', search: '2', replace: '1' },
  {
    row: 'H106',
    at: 'PlainConnections.cutIdleWhile',
    search: 'if (first === undefined) return false;',
    replace: 'return false;',
    why: 'who does nothing keeps others out',
  },
  {
    row: 'H107',
    at: 'RequestReader.readHead',
    search: "this.part = { kind: 'head', parser };",
    replace: '',
    why: 'each byte of a head is taken for the first of it',
  },
  {
    row: 'H107',
    at: 'PlainConnection.arm',
    search: "this.state === 'idle' ? keep_alive : handshake",
    replace: 'handshake',
  },
  { row: 'H109', at: 'PlainConnection.onEnd', search: 'this.exchange?.clientLeft();', replace: '' },
];
