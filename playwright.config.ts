import { defineConfig } from '@playwright/test'
import { launchOptions } from './e2e/support/browser.js'

/** Tests start their own servers, on free ports; a test that fails is never tried again. */
export default defineConfig({
  testDir: 'e2e',
  outputDir: 'test-results/e2e',
  fullyParallel: true,
  workers: 2,
  retries: 0,
  timeout: 30_000,
  globalTimeout: 12 * 60_000,
  forbidOnly: Boolean(process.env['CI']),
  reporter: [['list'], ['json', { outputFile: 'test-results/e2e.json' }]],
  use: { launchOptions, trace: 'retain-on-failure' },
  projects: [
    { name: 'chromium', use: { browserName: 'chromium' } },
    // They have drivers of their own.
    { name: 'gecko', testDir: 'e2e/engines' },
    { name: 'webkit', testDir: 'e2e/engines' },
  ],
})
