// Pictures of every page: `npm run screenshots`, into `PGSTRATA_SCREENSHOTS` or test-results/screenshots. Not a test.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: ['test/screenshots.ts'], environment: 'node', testTimeout: 600_000, hookTimeout: 300_000 },
});
