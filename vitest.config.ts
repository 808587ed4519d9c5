import { defineConfig } from 'vitest/config'
import { slimPackages } from './scripts/slim-packages.mjs'

/** What decides and never waits must be covered; the shells around it are proven in a real browser. */
const pure = [
  'src/protocol/**',
  'src/shared/**',
  'src/dialects/**',
  'src/connection/**',
  'src/outbox/*.ts',
  'src/outbox/stores/memory-store.ts',
  'src/client/**',
  'src/server/ordering/**',
]

export default defineConfig({
  test: {
    projects: [
      {
        // On the packages as they ship. Vite transforms no package unless it is inlined.
        plugins: [slimPackages()],
        test: {
          name: 'unit',
          server: { deps: { inline: ['partysocket', 'idb'] } },
          include: ['test/**/*.test.{ts,tsx}'],
          exclude: ['test/simulation/**'],
          // The clock is fake, but the cores are shared with the compiler and other lanes of `npm test`.
          testTimeout: 20_000,
          typecheck: { enabled: true, include: ['test/types/*.test-d.{ts,tsx}'], tsconfig: './tsconfig.json' },
        },
      },
      {
        test: {
          name: 'simulation',
          include: ['test/simulation/**/*.test.ts'],
          testTimeout: 240_000,
        },
      },
    ],
    coverage: {
      provider: 'v8',
      include: ['src/**/*.{ts,tsx}'],
      reporter: ['text', 'json-summary'],
      thresholds: Object.fromEntries(pure.map((files) => [files, { lines: 95 }])),
    },
  },
})
