import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { run } from './run.mjs'

const APT_TIMEOUT_MS = 300_000
const TRIAL_TIMEOUT_MS = 20_000

/** Where programs stand that PATH does not show, such as Debian's Python where another one comes first. */
const WEBKIT_FOLDERS = ['x86_64', 'aarch64'].map((machine) => `/usr/lib/${machine}-linux-gnu/webkit2gtk-4.1`)
const USUAL_FOLDERS = ['/usr/bin', '/usr/local/bin', '/opt/homebrew/bin', '/usr/sbin', '/usr/local/sbin']

/** The path of a Python that can `import websockets`. Rejects with what to install when there is none. */
export async function findPython() {
  const isFit = async (path) => {
    const { ok } = await run(path, ['-c', 'import websockets'], { timeoutMs: TRIAL_TIMEOUT_MS, capture: true })
    return ok
  }
  const path = await findOrInstall(['python3', 'python'], ['python3', 'python3-websockets'], isFit)
  if (path) return path
  throw new Error(
    'No Python with the package "websockets" found. Install Debian\'s python3-websockets, ' +
      'or run `python3 -m pip install websockets` for the python3 on your PATH.',
  )
}

/** The path of the redis-server program. Rejects with what to install when there is none. */
export async function findRedisServer() {
  const path = await findOrInstall(['redis-server'], ['redis-server'])
  if (path) return path
  throw new Error("No redis-server found. Install Debian's redis-server, or Redis, and have it on your PATH.")
}

/** The path of Firefox. Rejects with what to install when there is none. */
export async function findFirefox() {
  const path = await findOrInstall(['firefox', 'firefox-esr'], ['firefox-esr'])
  if (path) return path
  throw new Error("No Firefox found. Install it, or Debian's firefox-esr, and have it on your PATH.")
}

/** The paths of WebKitGTK's browser, of its WebDriver, and of a screen for it. Rejects with what to install. */
export async function findWebKit() {
  const miniBrowser = await findOrInstall(['MiniBrowser'], ['webkit2gtk-driver', 'xvfb'], undefined, WEBKIT_FOLDERS)
  const [webDriver] = programsNamed(['WebKitWebDriver'])
  const [xvfb] = programsNamed(['Xvfb'])
  if (miniBrowser && webDriver && xvfb) return { miniBrowser, webDriver, xvfb }
  throw new Error("No WebKitGTK found. Install Debian's webkit2gtk-driver and xvfb.")
}

/** The path of nginx. Rejects with what to install when there is none. */
export async function findNginx() {
  const path = await findOrInstall(['nginx'], ['nginx'])
  if (path) return path
  throw new Error("No nginx found. Install Debian's nginx, or another one, and have it on your PATH.")
}

/** The programs with one of these names, those on PATH first. */
export function programsNamed(names, moreFolders = USUAL_FOLDERS) {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean).concat(moreFolders)
  return [...new Set(folders.flatMap((folder) => names.map((name) => join(folder, name))))].filter(isProgram)
}

export function isProgram(path) {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

/** Installs packages where that is ours to do: as root on a Debian. Whether it helped, the caller finds by looking. */
export async function installFromDebian(packages) {
  if (!existsSync('/etc/debian_version') || process.getuid?.() !== 0) return

  console.error(`Installing Debian's ${packages.join(', ')}`)
  // Runlevel 1 is for one user: Debian then starts no daemon of what it installs.
  const env = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  const options = { timeoutMs: APT_TIMEOUT_MS, capture: true, env }
  const waiting = ['-o', `DPkg::Lock::Timeout=${APT_TIMEOUT_MS / 1000}`]
  await run('apt-get', ['update', ...waiting], options)
  const { ok, output } = await run(
    'apt-get',
    ['install', '-y', '--no-install-recommends', ...waiting, ...packages],
    options,
  )
  if (!ok) console.error(output)
}

async function findOrInstall(names, packages, isFit = async () => true, folders) {
  const find = async () => {
    for (const path of programsNamed(names, folders)) if (await isFit(path)) return path
    return undefined
  }
  const found = await find()
  if (found) return found
  await installFromDebian(packages)
  return find()
}

/** Tests need the first three; without an engine its tests are skipped. */
if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  for (const find of [findPython, findRedisServer, findNginx, findFirefox, findWebKit]) {
    try {
      console.log(await find())
    } catch (error) {
      console.error(error.message)
      if (find !== findFirefox && find !== findWebKit) process.exitCode = 1
    }
  }
}
