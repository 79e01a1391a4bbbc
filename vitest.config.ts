import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{host,edge-agent,cloud-sync,wasm-core}/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**', '**/target/**'],
    testTimeout: 20_000,
    pool: 'forks',
  },
});
