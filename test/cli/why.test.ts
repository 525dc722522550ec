import { expect, test } from 'vitest';
import type { FrameView } from '../../src/admin/subject.ts';
import { renderWhy } from '../../src/cli/why.ts';
import { sampleWhy } from '../support/fake-admin-subject.ts';

const frames = (count: number): FrameView[] =>
  Array.from({ length: count }, (_, i) => {
    return { at_ms: i * 1000, from: 'backend', opcode: 'text', fin: true, bytes: i, code: null };
  });

const linesOf = (view: typeof sampleWhy, rows = 24) => renderWhy(view, 80, rows).trimEnd().split('\n');

test('all that is known of an end', () => {
  expect(linesOf(sampleWhy)).toEqual([
    'cafe-1  ENDED  client_message_too_big, by the client',
    '',
    'The client sent a message of 2 MiB, over limits.from_client.max_message_size.',
    '',
    'told     client 1009 "max_message_size", backend 1001; not clean',
    'opened   2027-01-30T23:00:00.000Z, lived 1.5m, closed in 240ms',
    'client   192.0.2.7, users/acme',
    'route    chat, target a of chat',
    'path     /chat/a?token=***, request r1',
    'read     client 12 messages, 3.3KiB, largest 900B, silent 800ms',
    '         backend 34 567 messages, 8.6MiB, largest 63KiB, silent 20ms, 4 pause...',
    'near     limits.from_client.max_message_size: 2MiB of 1MiB, 200 %',
    '         limits.max_buffered: 256KiB of 256KiB, 100 %',
    'record     -1.5m  client  text 512B',
    '             -2s  backend binary 63KiB, more follows',
    '           -10ms  client  close 1001 2B',
    'change   Raise limits.from_client.max_message_size for route chat: "framegate',
    '         advise" says what it would take.',
  ]);
});

test('of frames the last that fit, and how many there were before', () => {
  const view = { ...sampleWhy, times: { ...sampleWhy.times, lived_ms: 200_000 }, record: frames(200) };
  const lines = linesOf(view);
  expect(lines).toHaveLength(23);
  expect(lines.find((line) => line.startsWith('record'))).toBe('record   193 earlier');
  expect(lines.filter((line) => line.includes('backend text'))).toHaveLength(7);
  expect(lines.findLast((line) => line.includes('backend text'))).toBe('             -1s  backend text 199B');
  expect(linesOf(view, Number.POSITIVE_INFINITY).filter((line) => line.includes('backend text'))).toHaveLength(200);
});

test('one of a kind is no plural, and a size that is set against a limit is not rounded', () => {
  const one = { ...sampleWhy.facts.from_client, messages: 1, pauses: 1 };
  const near = [{ key: 'limits.max_buffered', unit: 'bytes', limit: 1024, used: 2000, share: 1.95 }] as const;
  const lines = linesOf({ ...sampleWhy, near, facts: { ...sampleWhy.facts, from_client: one } });
  expect(lines.find((line) => line.startsWith('read'))).toMatch(/client 1 message, .*, 1 pause$/);
  expect(lines).toContain('near     limits.max_buffered: 2000B of 1KiB, 195 %');
});

test('without a recorder, without frames, and of one that is open', () => {
  expect(linesOf({ ...sampleWhy, record: null })).toContain('record   off');
  expect(linesOf({ ...sampleWhy, record: [] })).toContain('record   no frames');
  const times = { ...sampleWhy.times, ending_at: null, ended_at: null, closing_ms: null };
  const open = linesOf({ ...sampleWhy, state: 'open', cause: null, by: null, times, change: [] });
  expect(open[0]).toBe('cafe-1  OPEN');
  expect(open.some((line) => /^(told|change)/.test(line))).toBe(false);
  expect(open).toContain('opened   2027-01-30T23:00:00.000Z, 1.5m ago');
});
