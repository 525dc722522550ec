// The tricks of the hot path, each as the smallest edits of the source that undo it. A test holds that every search
// text occurs once, so that the measurement stays about the code that is there.

export interface Edit {
  readonly file: string;
  readonly search: string;
  readonly replace: string;
}

export interface Trick {
  /** As the tables name it. */
  readonly name: string;
  readonly edits: readonly Edit[];
}

const HANDLES = 'src/net/handle-transport.ts';
const IO = 'src/net/handle-io.ts';
const BIN = 'src/cli.ts';
const FLAGS = '#!/usr/bin/env -S node --single-threaded --max-semi-space-size=4';

export const TRICKS: readonly Trick[] = [
  {
    name: 'handles instead of streams, all of it',
    edits: [
      {
        file: 'src/net/carrier.ts',
        search: "const base = mode === 'auto' ? findStreamBase() : null;",
        replace: 'const base = null;',
      },
    ],
  },
  {
    name: 'one static read buffer',
    edits: [
      {
        file: IO,
        search: 'this.onread = function onread(this: OwnedHandle): void {',
        replace: 'this.onread = function onread(this: OwnedHandle, fresh?: ArrayBuffer): void {',
      },
      {
        file: IO,
        search: 'this.transport?.onRead(state[readIndex] ?? 0);',
        replace: 'this.transport?.onRead(state[readIndex] ?? 0, fresh);',
      },
      {
        file: IO,
        search: 'onRead(size: number): void;',
        replace: 'onRead(size: number, fresh?: ArrayBuffer): void;',
      },
      {
        file: HANDLES,
        search: 'onRead(size: number): void {',
        replace: 'onRead(size: number, fresh?: ArrayBuffer): void {',
      },
      { file: HANDLES, search: 'handle.useUserBuffer(io.readView);', replace: '' },
      {
        file: HANDLES,
        search: 'this.reader.onBytes(this.io.readBuffer, HEADROOM, HEADROOM + size);',
        replace: 'this.reader.onBytes(Buffer.from(fresh!), 0, size);',
      },
      { file: HANDLES, search: 'readonly headroom = HEADROOM;', replace: 'readonly headroom = 0;' },
    ],
  },
  {
    name: 'headroom for what a read left over',
    edits: [{ file: HANDLES, search: 'readonly headroom = HEADROOM;', replace: 'readonly headroom = 0;' }],
  },
  {
    name: 'one scratch for all writes',
    edits: [
      {
        file: IO,
        search: 'const result = this.writeOwned(handle, scratch.view(size));',
        replace: 'const result = this.writeOwned(handle, Buffer.from(bytes.subarray(start, end)));',
      },
      { file: IO, search: 'bytes.copy(scratch.bytes, 0, start, end);', replace: '' },
    ],
  },
  {
    // Never to be shipped: an unfinished write would send what other sessions read later. It shows what safety costs.
    name: 'the copy itself (unsafe)',
    edits: [
      {
        file: IO,
        search: 'const result = this.writeOwned(handle, scratch.view(size));',
        replace: 'const result = this.writeOwned(handle, bytes.subarray(start, end));',
      },
      { file: IO, search: 'bytes.copy(scratch.bytes, 0, start, end);', replace: '' },
    ],
  },
  {
    name: 'views of the scratch kept by length',
    edits: [{ file: IO, search: 'const VIEWS_MAX = 2_048;', replace: 'const VIEWS_MAX = 0;' }],
  },
  {
    name: 'one request for all writes',
    edits: [
      {
        file: IO,
        search: 'const { request, base } = this;',
        replace: 'const { base } = this;\n    const request = this.newRequest();',
      },
    ],
  },
  {
    name: 'one write per read',
    edits: [
      {
        file: 'src/session/relay.ts',
        search: '          frameAt = scanner.frameStart;\n',
        replace:
          '          this.forward(bytes, start, scanner.frameStart, stable, now);\n' +
          '          start = scanner.frameStart;\n          frameAt = scanner.frameStart;\n',
      },
    ],
  },
  {
    name: 'whole small messages judged by two bytes',
    edits: [
      {
        file: 'src/protocol/frame-scanner.ts',
        search: 'if (this.takeSmallMessage(at, first, second, available)) return Step.Header;',
        replace: '',
      },
    ],
  },
  {
    name: 'alike messages counted together',
    edits: [
      {
        file: 'src/session/traffic.ts',
        search: 'if (messageBytes !== this.alikeBytes || this.opcode !== this.alikeOpcode) {',
        replace: '{',
      },
    ],
  },
  {
    name: '--single-threaded',
    edits: [{ file: BIN, search: FLAGS, replace: FLAGS.replace(' --single-threaded', '') }],
  },
  {
    name: '--max-semi-space-size=4',
    edits: [{ file: BIN, search: FLAGS, replace: FLAGS.replace(' --max-semi-space-size=4', '') }],
  },
];
