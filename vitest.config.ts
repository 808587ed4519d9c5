import { defineConfig } from 'vitest/config'

/** What decides and never waits must be covered; the shells around it are proven in a real browser. */
const pure = [
  'src/protocol/**',
  'src/dialects/**',
  'src/session/**',
  'src/outbox/{outbox,journal,commits,delivery,item,memory-store,policy,request,requests}.ts',
  'src/{ask,dialler}.ts',
  'src/snapshot.ts',
  'src/events.ts',
  'src/options.ts',
]

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.{ts,tsx}'],
          exclude: ['test/simulation/**'],
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
