import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { judgeExtensionAnswer, parseExtensions } from '../../src/protocol/extensions.ts';
import { parseHost } from '../../src/protocol/host.ts';
import { RequestHeadParser, ResponseHeadParser } from '../../src/protocol/http-head.ts';
import { judgePath, matchPath, parsePattern } from '../../src/protocol/path.ts';
import { ResponseBody } from '../../src/protocol/response-body.ts';
import { judgeUpgradeRequest } from '../../src/protocol/upgrade-request.ts';
import { judgeUpgradeResponse } from '../../src/protocol/upgrade-response.ts';
import { ACCEPT, ANSWER, feedAll, KEY, LIMITS, requestText } from './heads.ts';

const charsOf = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => String.fromCharCode(from + i));

const tokenChar = fc.constantFrom(...charsOf(0x21, 0x7e).filter((char) => /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(char)));
const fieldChar = fc.constantFrom('\t', ...charsOf(0x20, 0x7e), ...charsOf(0x80, 0xff));
const targetChar = fc.constantFrom(...charsOf(0x21, 0x7e).filter((char) => !'#"<>\\`{}?'.includes(char)));
const name = fc.string({ unit: tokenChar, minLength: 1, maxLength: 20 }).filter((text) => !SPECIAL.test(text));
const SPECIAL = /^(?:host|upgrade|connection|content-length|transfer-encoding|origin|authorization|sec-websocket-.*)$/i;
const value = fc.string({ unit: fieldChar, maxLength: 40 }).map((text) => text.replace(/^[\t ]+|[\t ]+$/g, ''));
const ows = fc.string({ unit: fc.constantFrom(' ', '\t'), maxLength: 3 });
const field = fc.record({ name, value, before: ows, after: ows });
const method = fc.string({ unit: tokenChar, minLength: 1, maxLength: 32 });
const target = fc.string({ unit: targetChar, minLength: 1, maxLength: 60 });

/** Cuts of `bytes` at the given fractions, in order. */
function cutAt(bytes: Buffer, fractions: readonly number[]): Buffer[] {
  const places = [...new Set(fractions.map((fraction) => Math.floor(fraction * bytes.length)))].sort((a, b) => a - b);
  return [0, ...places].map((from, i) => bytes.subarray(from, places[i] ?? bytes.length));
}

const fractions = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });

describe('any legal head, cut anywhere', () => {
  test('a request head yields its parts', () => {
    fc.assert(
      fc.property(
        method,
        target,
        fc.array(field, { maxLength: 20 }),
        fractions,
        fc.uint8Array({ maxLength: 20 }),
        (m, t, fields, at, tail) => {
          const lines = fields.map((each) => `${each.name}:${each.before}${each.value}${each.after}`);
          const head = Buffer.from(`${[`${m} ${t} HTTP/1.1`, ...lines].join('\r\n')}\r\n\r\n`, 'latin1');
          const { parsed, rest } = feedAll(new RequestHeadParser(LIMITS), cutAt(Buffer.concat([head, tail]), at));
          const expected = fields.map((each) => ({
            name: each.name,
            lower: each.name.toLowerCase(),
            value: each.value,
          }));
          assert.deepEqual(parsed, { head: { method: m, target: t, version: '1.1', fields: expected } });
          assert(rest.equals(tail));
        },
      ),
    );
  });

  test('a response head yields its parts', () => {
    const status = fc.integer({ min: 100, max: 599 });
    fc.assert(
      fc.property(status, value, fc.array(field, { maxLength: 20 }), fractions, (code, reason, fields, at) => {
        const lines = fields.map((each) => `${each.name}:${each.before}${each.value}${each.after}`);
        const head = Buffer.from(`${[`HTTP/1.1 ${code} ${reason}`, ...lines].join('\r\n')}\r\n\r\n`, 'latin1');
        const { parsed } = feedAll(new ResponseHeadParser(ANSWER), cutAt(head, at));
        const expected = fields.map((each) => ({ name: each.name, lower: each.name.toLowerCase(), value: each.value }));
        assert.deepEqual(parsed, { head: { version: '1.1', status: code, fields: expected, bareLf: false } });
      }),
    );
  });
});

describe('random and mutated bytes', () => {
  const mutated = fc
    .tuple(
      fc.array(fc.tuple(fc.double({ min: 0, max: 0.999, noNaN: true }), fc.nat(255)), { minLength: 1, maxLength: 4 }),
    )
    .map(([edits]) => {
      const bytes = Buffer.from(
        requestText({ fields: ['Origin: https://a', 'Cookie: b', 'Sec-WebSocket-Protocol: c, d'] }),
      );
      for (const [place, byte] of edits) bytes[Math.floor(place * bytes.length)] = byte;
      return bytes;
    });
  const random = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes));

  test('never throw, and come to the same at every cut', () => {
    fc.assert(
      fc.property(fc.oneof(mutated, random), fractions, (bytes, at) => {
        const whole = feedAll(new RequestHeadParser(LIMITS), [bytes]).parsed;
        const cut = feedAll(new RequestHeadParser(LIMITS), cutAt(bytes, at)).parsed;
        assert.deepEqual(cut, whole);
        if ('head' in whole) judgeUpgradeRequest(whole.head);
      }),
      { numRuns: 2000 },
    );
  });

  test('as responses never throw either', () => {
    const response = Buffer.from(
      `HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${ACCEPT}\r\n\r\n`,
    );
    const edits = fc.array(fc.tuple(fc.nat(response.length - 1), fc.nat(255)), { maxLength: 4 });
    fc.assert(
      fc.property(edits, fractions, (changes, at) => {
        const bytes = Buffer.from(response);
        for (const [place, byte] of changes) bytes[place] = byte;
        const whole = feedAll(new ResponseHeadParser(ANSWER), [bytes]).parsed;
        assert.deepEqual(feedAll(new ResponseHeadParser(ANSWER), cutAt(bytes, at)).parsed, whole);
        if ('head' in whole) judgeUpgradeResponse(whole.head, { key: KEY, protocols: [], extensions: [], relax: [] });
      }),
      { numRuns: 1000 },
    );
  });

  test('as bodies never throw', () => {
    const pieces = fc.array(
      fc.oneof(
        random,
        fc.constantFrom('5\r\nhello\r\n', '0\r\n\r\n', ';a').map((text) => Buffer.from(text)),
      ),
    );
    const codings = fc.constantFrom('transfer-encoding: chunked', 'content-length: 10', 'x: y');
    fc.assert(
      fc.property(pieces, codings, (all, coding) => {
        const [lower = '', text = ''] = coding.split(': ');
        const body = new ResponseBody(
          { version: '1.1', status: 403, fields: [{ name: lower, lower, value: text }], bareLf: false },
          65_536,
        );
        for (const piece of all) body.feed(piece, 0, piece.length);
        body.end();
        body.bytes();
      }),
    );
  });

  test('as values never throw', () => {
    const text = fc.oneof(
      fc.string({ unit: fieldChar, maxLength: 60 }),
      fc.string({ unit: fc.constantFrom(...'a,;="\\ 1[]:.%2eF/') }),
    );
    fc.assert(
      fc.property(text, (anything) => {
        parseHost(anything);
        parseExtensions([anything]);
        judgeExtensionAnswer([anything], ['permessage-deflate']);
        judgePath(`/${anything}`);
        const parsed = parsePattern(anything);
        if (parsed.ok) matchPath(parsed.pattern, `/${anything}`);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('linear work', () => {
  /** Counts every look at a byte of a value or of the start line. */
  class Counting extends RequestHeadParser {
    looks = 0;

    protected override fieldName(lower: string): ReturnType<RequestHeadParser['fieldName']> {
      const slug = super.fieldName(lower);
      this.valueClass = new Proxy(this.valueClass, {
        get: (table, key) => {
          this.looks += 1;
          return Reflect.get(table, key);
        },
      });
      return slug;
    }

    protected override startLine(bytes: Buffer, from: number, end: number): number {
      const next = super.startLine(bytes, from, end);
      this.looks += next - from + 1;
      return next;
    }
  }

  test('H23: a long line in one-byte pieces is looked at as often as in one piece, but for a look per piece', () => {
    const line = `GET /${'a'.repeat(4000)} HTTP/1.1`;
    const bytes = Buffer.from(requestText({ line, fields: [`X: ${'x'.repeat(4000)}`] }));
    const looks = (pieces: Buffer[]): number => {
      const parser = new Counting(LIMITS);
      assert('head' in feedAll(parser, pieces).parsed);
      return parser.looks;
    };
    const whole = looks([bytes]);
    const singles = looks(Array.from(bytes, (_, i) => bytes.subarray(i, i + 1)));
    expect(whole).toBeGreaterThan(8000);
    expect(singles).toBeLessThanOrEqual(whole + 2 * bytes.length);
  });
});
