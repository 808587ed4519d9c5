import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { run } from './run.mjs'
import { installFromDebian, isProgram, programsNamed } from './system-packages.mjs'

const DOWNLOAD_TIMEOUT_MS = 180_000

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome']
const USUAL_PLACES = [
  '/usr/bin',
  '/usr/local/bin',
  '/snap/bin',
  '/opt/google/chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  ...['PROGRAMFILES', 'PROGRAMFILES(X86)', 'LOCALAPPDATA'].flatMap((variable) =>
    process.env[variable] ? [join(process.env[variable], 'Google/Chrome/Application/chrome.exe')] : [],
  ),
]

/**
 * The path of a Chromium that can run the tests in e2e/: the one that HOLDFAST_BROWSER names, else one that is
 * installed, else Playwright's own, which is downloaded if need be, else Debian's, which is installed if we may.
 */
export async function findBrowser() {
  const path = named() ?? installed() ?? (await fromPlaywright()) ?? (await fromDebian())
  if (path) return path
  throw new Error(
    'No Chromium found. Install Chromium or Chrome, or run `npx playwright install chromium`, ' +
      'or set HOLDFAST_BROWSER to the path of one.',
  )
}

function named() {
  const path = process.env.HOLDFAST_BROWSER
  if (!path) return undefined
  if (isProgram(path)) return path
  throw new Error(`HOLDFAST_BROWSER is "${path}", which is not a program. Correct it or unset it.`)
}

const installed = () => programsNamed(NAMES, USUAL_PLACES)[0] ?? USUAL_PLACES.find(isProgram)

async function fromPlaywright() {
  const { chromium } = await import('@playwright/test')
  const path = chromium.executablePath()
  if (isProgram(path)) return path

  console.error("No Chromium is installed: trying Playwright's download")
  await run('playwright', ['install', 'chromium'], { timeoutMs: DOWNLOAD_TIMEOUT_MS, capture: true })
  return isProgram(path) ? path : undefined
}

async function fromDebian() {
  await installFromDebian(['chromium'])
  return installed()
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    console.log(await findBrowser())
  } catch (error) {
    console.error(error.message)
    process.exitCode = 1
  }
}
