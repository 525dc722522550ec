// Preloaded into a proxy (needs --expose-gc): on SIGWINCH it collects its garbage and says on stderr what it holds.

let asked = 0;

process.on('SIGWINCH', () => {
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  asked += 1;
  process.stderr.write(`held ${asked}: ${heapUsed + external}.\n`);
});
