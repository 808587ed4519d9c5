import type { LaunchOptions } from '@playwright/test'
import { findBrowser } from '../../scripts/find-browser.mjs'

// Playwright's workers load this file too: what the first of them has found, the others need not look for.
process.env['HOLDFAST_BROWSER'] ??= await findBrowser()

// Chromium's sandbox needs a user other than root, and more rights than most build machines give.
const isSandboxed = process.getuid?.() !== 0 && !process.env['CI']

/** How every test starts Chromium: the same flags for the one that Playwright starts and for those that tests start. */
export const launchOptions: LaunchOptions = {
  executablePath: process.env['HOLDFAST_BROWSER'],
  chromiumSandbox: isSandboxed,
  args: [
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
  // Pages in the back/forward cache are a case of ours; Playwright switches it off unless told not to.
  ignoreDefaultArgs: ['--disable-back-forward-cache'],
}
