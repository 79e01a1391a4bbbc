import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{host,edge-agent,cloud-sync,wasm-core}/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**', '**/target/**'],
    // Generous: the machine may be shared, and a test that hangs is found all the same.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
  },
});
