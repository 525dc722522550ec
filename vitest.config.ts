import { defineConfig } from 'vitest/config';

/** Everything that moves bytes over real sockets: it runs once on each transport. */
const SOCKET_TESTS = ['test/{conformance,e2e,hostile,net}/**/*.test.ts'];

export default defineConfig({
  test: {
    testTimeout: 20_000,
    hookTimeout: 20_000,
    // Most of what they do is waiting for sockets; two cores carry more than two of them.
    maxWorkers: 3,
    coverage: {
      provider: 'v8',
      include: ['src/**'],
      reporter: ['text-summary', 'text'],
      thresholds: { perFile: true, 'src/protocol/**': { branches: 95 } },
    },
    projects: [
      { extends: true, test: { name: 'handle', include: ['test/**/*.test.ts'] } },
      { extends: true, test: { name: 'stream', include: SOCKET_TESTS, env: { FRAMEGATE_TRANSPORT: 'stream' } } },
    ],
  },
});
