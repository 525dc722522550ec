import { configDefaults, defineConfig, type TestProjectInlineConfiguration as Project } from 'vitest/config';

/** What the bytes of a session go over: each socket test must hold on all. The first is run in full by `npm test`. */
const FIRST: Layout = { name: 'handle', env: {} };

/** TLS on either side of framegate, or on both: for what knows no bytes below WebSocket. */
const TLS_LAYOUTS: readonly Layout[] = ['client', 'backend', 'both'].map((side) => ({
  name: `tls-${side}`,
  env: { FRAMEGATE_TEST_TLS: side },
}));

interface Layout {
  readonly name: string;
  readonly env: Record<string, string>;
}

interface Other extends Layout {
  readonly tests: string[];
  readonly exclude: string[];
  /** Some of those. */
  readonly marked: string[];
}

const EVERYTHING = ['test/**/*.test.ts'];
/** What moves bytes over real sockets, on each layout. */
const SOCKETS = [
  'test/{conformance,e2e}/**/*.test.ts',
  'test/hostile/!(rows|mutants).test.ts',
  'test/net/!(open-files|outbox|resolve).test.ts',
  'test/services/!(idle-connections).test.ts',
];
/** A tenth of that, where a transport makes the difference: `npm test` runs it on the other layouts, too. */
const MARKED = [
  'test/e2e/relay.test.ts', // cuts, order and back-pressure of any conversation
  'test/e2e/ends.test.ts', // half-close, reset, and who is told what first
  'test/e2e/tls-backend.test.ts', // plain on one side, TLS on the other
  'test/hostile/{closes,network,resources}.test.ts', // hostile ends, a bad network, peers that do not read
  'test/net/transport.test.ts', // what a transport promises
];
/** What must hold over TLS as over TCP: every rule of frames and ends, and everything at once. */
const OVER_TLS = ['test/conformance/fuzzing-*.test.ts', 'test/e2e/ends.test.ts', 'test/soak/soak.test.ts'];
/** Whole programs, long runs and mutated copies, on the first layout. */
const PROGRAMS = [
  'test/{attacks,browser,clients,corpus,fuzz,oracle,scale,soak,terminal}/**/*.test.ts',
  'test/{cli,package,shares}.test.ts',
  'test/e2e/{restart,workers}*.test.ts',
  'test/hostile/mutants.test.ts',
];
/** Of those, and of the socket tests, what takes long for what it says: it waits for the rest of the matrix. */
const LONG = [
  'test/{attacks/attacks,corpus/corpus,fuzz/fuzz,scale/scale,terminal/terminal}.test.ts',
  'test/browser/page-{actions,hostile,looks,many}.test.ts',
  'test/oracle/oracle.test.ts',
  'test/soak/slow-link.test.ts',
  'test/conformance/fuzzing-*.test.ts',
  'test/hostile/{operations,process-faults}.test.ts',
  'test/e2e/acme-shared.test.ts',
];
/** What is left out where proxies have workers. */
const NO_WORKERS = [
  'test/e2e/{restart,workers,tls-processes,acme-shared}*.test.ts', // whole programs
  'test/hostile/{operations,process-faults,restart}.test.ts', // the same
  'test/{e2e/fleet-*,hostile/{desk,fleet}}.test.ts', // they have workers anyway
  // No proxy, or one of another kind than createProxy makes for the harnesses.
  'test/hostile/{acme,admin-load,auth-config,auth-jwks,backend-sessions,config-source,key-updates}.test.ts',
  'test/hostile/{large-config,mutants,plain-turns,recorder,rows,unix-socket,why-causes}.test.ts',
];
/** The layouts but the first, each with the socket tests that it is for, and those of them that `npm test` runs. */
const OTHERS: readonly Other[] = [
  { name: 'stream', env: { FRAMEGATE_TRANSPORT: 'stream' }, tests: SOCKETS, exclude: [], marked: MARKED },
  {
    // Whoever accepts has two workers, which carry: whole ones, in the test's own process.
    ...{ name: 'workers', env: { FRAMEGATE_TEST_WORKERS: '2' } },
    tests: ['test/{conformance,e2e,hostile}/**/*.test.ts'],
    exclude: NO_WORKERS,
    marked: [
      'test/e2e/ends.test.ts', // half-close, reset, last bytes, and who is told what first
      'test/e2e/drain.test.ts', // of all workers at once
      'test/hostile/{admission,closes}.test.ts', // limits that are counted for all; hostile ends
    ],
  },
];
/** With a process of their own in each share: for its heap, or for what they mock. */
const APART = [
  'test/bench/reports.test.ts',
  'test/edge/faults.test.ts',
  'test/edge/plain-faults.test.ts',
  'test/hostile/resources.test.ts',
];

/**
 * The share of the tests that a script of package.json asks for. By hand there is none, and then every test is in every
 * layout that it must hold on, with a process for each file. `main` and `rest` together are the same tests.
 */
function projectsOf(share: string): Project[] {
  switch (share) {
    case 'all':
      return [
        project(FIRST, EVERYTHING),
        ...OTHERS.map((layout) => project(layout, layout.tests, layout.exclude)),
        ...TLS_LAYOUTS.map((layout) => project(layout, OVER_TLS)),
      ];
    case 'quick':
      return shared(FIRST, EVERYTHING, [...SOCKETS, ...PROGRAMS]);
    case 'main':
      return [
        ...shared(FIRST, EVERYTHING, [...PROGRAMS, ...LONG]),
        project({ ...FIRST, name: 'programs' }, PROGRAMS, LONG),
        ...OTHERS.map((layout) => project(layout, layout.marked)),
      ];
    case 'rest':
      return [
        project({ ...FIRST, name: 'programs' }, LONG),
        ...OTHERS.map((layout) => project(layout, layout.tests, [...layout.exclude, ...layout.marked])),
        ...TLS_LAYOUTS.map((layout) => project(layout, OVER_TLS)),
      ];
    default:
      throw new Error(`TEST_SHARE=${share} is none of all, quick, main, rest`);
  }
}

function project({ name, env }: Layout, include: string[], exclude: string[] = []): Project {
  return { extends: true, test: { name, env, include, exclude: [...configDefaults.exclude, ...exclude] } };
}

/** Most share processes: nothing in src/ keeps state at module level, so that each file would only load it anew. */
function shared(layout: Layout, include: string[], exclude: string[]): Project[] {
  const together = project(layout, include, [...exclude, ...APART]);
  return [
    { ...together, test: { ...together.test, isolate: false } },
    project({ ...layout, name: 'apart' }, APART, exclude),
  ];
}

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
    projects: projectsOf(process.env.TEST_SHARE ?? 'all'),
  },
});
