// Owns the schema of what decides about paths: how a listener takes them, and what a route matches.
// It must not know routes together; `check-paths.ts` does.

import { parsePattern } from '../protocol/path.ts';
import { parseHostPattern } from './addresses.ts';
import { choice, documented, parsedText } from './scalars.ts';
import { z } from './zod.ts';

export const listenerPaths = documented(
  z.strictObject({
    leading_slashes: choice(
      'A path that begins with more than one slash: 400 double_slash, or they become one before anything is judged, ' +
        'and in what the backend gets.',
      ['refuse', 'merge'],
    ).prefault('refuse'),
  }),
  'How paths are taken, before they are judged.',
  { type: 'map' },
).prefault({});

export const match = documented(
  z.strictObject({
    hosts: documented(
      z.array(parsedText(parseHostPattern)),
      'Host names, "*.example.com" for one label or more before it. Port, case and a trailing dot of Host are ignored.',
      {
        type: 'list of hosts',
        default: 'any',
      },
    ).optional(),
    path: documented(
      parsedText((text) => {
        const parsed = parsePattern(text);
        return parsed.ok ? { value: parsed.pattern } : { problem: parsed.problem };
      }),
      '"/x" is exact, "/x/*" is /x and all below it, "{name}" is exactly one whole segment. ' +
        'Case-sensitive, on the raw path.',
      { type: 'path' },
    ).prefault('/*'),
    encoded_slashes: choice(
      '%2F and %5C in a path: 400 encoded_path when decoding them leads to another route, or they end no segment and ' +
        'go on as they came. With keep the backend must not decode before it routes.',
      ['refuse', 'keep'],
    ).prefault('refuse'),
    listeners: documented(z.array(z.string()), 'Names of listeners.', {
      type: 'list of names',
      default: 'all',
    }).optional(),
  }),
  'Which requests take this route: exact host before the longest "*." before any host, then literal before ' +
    '{name} before *.',
  { type: 'map' },
).prefault({});
