// Tests in a real browser against a real server: `PGSTRATA_BIN` is the program. One file after the other, because each
// has a server of its own.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/browser/**/*.test.ts'],
    environment: 'node',
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 300_000,
  },
});
