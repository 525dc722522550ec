import { describe, expect, test } from 'vitest';
import { CASES, groupOf } from './cases.ts';
import { differencesNotAllowed } from './check.ts';

const TIMEOUT_MS = 90_000;

describe('RFC 6455 conformance: a fuzzing client, framegate, an echo server', () => {
  test(
    'no case is worse than with the strict server alone, and each better one has its rule',
    async () => {
      expect(await differencesNotAllowed('fuzzing client', 'strict')).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    'no case is worse than with the lenient server alone, and each better one has its rule',
    async () => {
      expect(await differencesNotAllowed('fuzzing client', 'lenient')).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    '8.1: a server that fails fast on UTF-8 fails as fast: payload is relayed as it arrives',
    async () => {
      const cases = CASES.filter((one) => groupOf(one.id) === '6');
      expect(await differencesNotAllowed('fuzzing client', 'fail-fast', cases)).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
