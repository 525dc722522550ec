import { describe, expect, test } from 'vitest';
import { END_CAUSES, type EndCauseRow } from '../../src/protocol/end-causes.ts';
import { VIOLATIONS, type ViolationRule } from '../../src/protocol/violations.ts';

const rules: [string, ViolationRule][] = Object.entries<ViolationRule>(VIOLATIONS);

describe('the rules a frame can break', () => {
  test('the names and codes that logs and peers see', () => {
    const table = Object.fromEntries(rules.map(([name, { close, kind }]) => [name, `${close} ${kind}`]));
    expect(table).toEqual({
      mask_missing: '1002 protocol_error',
      mask_present: '1002 protocol_error',
      rsv: '1002 protocol_error',
      opcode: '1002 protocol_error',
      continuation_without_start: '1002 protocol_error',
      message_inside_message: '1002 protocol_error',
      control_fragmented: '1002 protocol_error',
      control_length: '1002 protocol_error',
      length_not_minimal: '1002 protocol_error',
      length_msb: '1002 protocol_error',
      close_length: '1002 protocol_error',
      close_code: '1002 protocol_error',
      close_reason: '1007 invalid_utf8',
      message_too_big: '1009 message_too_big',
      frame_too_big: '1009 message_too_big',
      too_many_fragments: '1008 too_many_fragments',
    });
  });

  test.each(rules)('%s: its cause exists for both sides, with the same code', (_, { kind, close }) => {
    const byClient: EndCauseRow = END_CAUSES[`client_${kind}`];
    const byBackend: EndCauseRow = END_CAUSES[`backend_${kind}`];
    expect([byClient.by, byClient.client?.code]).toEqual(['client', close]);
    expect([byBackend.by, byBackend.backend?.code]).toEqual(['backend', close]);
  });

  test.each(rules)('%s: a reason that fits, no two the same, the config key where a limit did it', (_, rule) => {
    expect(Buffer.byteLength(rule.text)).toBeLessThanOrEqual(123);
    expect(rules.filter(([, other]) => other.text === rule.text).length).toBe(1);
    expect(rule.rfc).toMatch(/^\d/);
    if (rule.limit !== null) expect(rule.text).toBe(rule.limit);
    expect(rule.limit !== null).toBe(rule.kind === 'message_too_big' || rule.kind === 'too_many_fragments');
  });
});
