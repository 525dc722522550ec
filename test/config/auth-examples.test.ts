import { expect, test } from 'vitest';
import { exampleFiles, exampleNames, exampleText } from '../support/auth-examples.ts';
import { loaded, problemsOf } from './loading.ts';

const files = exampleFiles();
/** Of each route, in order. */
const AUTH: Readonly<Record<string, readonly string[]>> = {
  apigee: ['feed: apps api_key, tokens introspection'],
  kairos: ['chat: ', 'secure: users jwt', 'balanced: '],
  tyk: ['ws: keys api_key'],
  zowe: ['discoverableclient: zowe basic'],
};

test('each example of contrib/auth loads without a warning, and says who may come in', () => {
  expect([...exampleNames()].sort()).toEqual(Object.keys(AUTH));
  for (const name of exampleNames()) {
    expect(problemsOf(exampleText(name), { files, whole: true })).toEqual([]);
    const { auth, routes } = loaded(exampleText(name), { files, whole: true });
    const told = routes.map(
      (route) => `${route.name}: ${route.auth.map((one) => `${one} ${auth[one]?.kind}`).join(', ')}`,
    );
    expect(told).toEqual(AUTH[name]);
  }
});
