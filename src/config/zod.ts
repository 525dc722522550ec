// The one place that loads zod. Its ES modules open 64 languages at once, each with a descriptor of its own, which a
// process with few of them does not survive; through require they come one after the other.

import { createRequire } from 'node:module';
import type * as zod from 'zod';

/** The types stand in `zod` itself: `import type * as zod from 'zod'`. */
export const z: typeof zod = createRequire(import.meta.url)('zod');
