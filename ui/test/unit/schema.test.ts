// The types of the server's interface are those of the document that is committed.
import { readFileSync } from 'node:fs';

import openapi, { astToString, COMMENT_HEADER } from 'openapi-typescript';
import { expect, test } from 'vitest';

test('src/api/schema.ts is fresh; `cargo xtask ui client` makes it anew', async () => {
  const made = await openapi(new URL('../../../crates/server/openapi.json', import.meta.url));
  const committed = readFileSync(new URL('../../src/api/schema.ts', import.meta.url), 'utf8');
  expect(committed).toBe(`${COMMENT_HEADER}${astToString(made)}`);
});
