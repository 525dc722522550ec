import { describe, expect, test } from 'vitest';
import { CASES, groupOf } from './cases.ts';
import { differencesNotAllowed } from './check.ts';

const TIMEOUT_MS = 90_000;

describe('RFC 6455 conformance: a fuzzing server, framegate, an echo client', () => {
  test(
    'no case is worse than with the strict client alone, and each better one has its rule',
    async () => {
      expect(await differencesNotAllowed('fuzzing server', 'strict')).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    'no case is worse than with the lenient client alone, and each better one has its rule',
    async () => {
      expect(await differencesNotAllowed('fuzzing server', 'lenient')).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    '8.1: a client that fails fast on UTF-8 fails as fast: payload is relayed as it arrives',
    async () => {
      const cases = CASES.filter((one) => groupOf(one.id) === '6');
      expect(await differencesNotAllowed('fuzzing server', 'fail-fast', cases)).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
