/**
 * Runs what docs/deployment.md says of Next and PM2, which are too large for every run of the tests (Next has 341 MB, PM2
 * 77 packages): `npm run try:recipes`, or with `-- pm2` one of them. Installs them, and the package as npm would publish it, in a folder of its own.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocket } from 'ws'
import { createClient, reliable } from '../dist/index.js'
import { freePort, pageOf, readRecipes, startProgram } from './recipes.mjs'
import { run } from './run.mjs'

const PACKAGES = { next: ['next@16.4.6', 'react@19.3.1', 'react-dom@19.3.1'], pm2: ['pm2@7.0.4'] }
const PAGE = 'export default function Page() { return <p>a page</p> }'
const LAYOUT = 'export default function Layout({ children }) { return <html lang="en"><body>{children}</body></html> }'

const INSTALL_TIMEOUT_MS = 600_000
const TIMEOUT_MS = 120_000

class PlainWebSocket extends WebSocket {
  constructor(url, protocols) {
    super(url, protocols, { perMessageDeflate: false })
  }
}

async function must(command, args, cwd, timeoutMs = TIMEOUT_MS, env = {}) {
  const { ok, output, reason } = await run(command, args, { cwd, timeoutMs, env, capture: true })
  if (!ok) throw new Error(`${command} ${args.join(' ')}: ${reason}\n${output}`)
  return output
}

async function answerOf(port) {
  const url = `ws://127.0.0.1:${port}/live`
  const client = createClient({ url, dialect: reliable(), WebSocket: PlainWebSocket })
  const closeCodes = []
  client.lifecycle.on('state', ({ error }) => error?.closeCode && closeCodes.push(error.closeCode))
  client.connect()
  const answer = await client.request('whoami', undefined, { timeoutMs: 20_000 })
  return { client, closeCodes, answer: JSON.stringify(answer) }
}

async function install(folder, packages) {
  const { filename } = JSON.parse(await must('npm', ['pack', '--json', '--pack-destination', folder], process.cwd()))[0]
  await writeFile(join(folder, 'package.json'), '{ "private": true, "type": "module" }')
  await must('npm', ['install', '--no-audit', '--no-fund', `./${filename}`, ...packages], folder, INSTALL_TIMEOUT_MS)
  for (const [name, text] of await readRecipes()) await writeFile(join(folder, name), text)
  await mkdir(join(folder, 'app'))
  await writeFile(join(folder, 'app/page.jsx'), PAGE)
  await writeFile(join(folder, 'app/layout.jsx'), LAYOUT)
}

async function tryNext(folder, mode) {
  const port = await freePort()
  const env = { PORT: String(port), NODE_ENV: mode, NEXT_TELEMETRY_DISABLED: '1' }
  if (mode === 'production') await must('npx', ['next', 'build'], folder, TIMEOUT_MS, env)
  const program = startProgram(process.execPath, ['next.mjs'], { cwd: folder, env })
  try {
    const page = await pageOf(`http://127.0.0.1:${port}/`, program)
    const html = await page.text()
    if (!html.includes('a page')) throw new Error(`Next has answered ${page.status}: ${html.slice(0, 500)}`)
    const { client, answer } = await answerOf(port)
    console.log(`next, ${mode}: ${answer}`)
    const code = await program.stop()
    await client.close()
    if (code !== 0) throw new Error(`next.mjs has ended with ${code}:\n${program.said}`)
  } finally {
    await program.stop()
  }
}

async function tryPm2(folder) {
  const port = await freePort()
  const env = { PM2_HOME: join(folder, '.pm2'), PORT: String(port) }
  const pm2 = (...args) => must('npx', ['pm2', ...args], folder, TIMEOUT_MS, env)
  try {
    await pm2('start', 'ecosystem.config.cjs')
    const { client, closeCodes, answer } = await answerOf(port)
    console.log(`pm2: ${answer}`)
    await pm2('stop', 'live')
    await client.close()
    const log = await must('cat', [join(folder, '.pm2/pm2.log')], folder)
    if (closeCodes[0] !== 1012) throw new Error(`The client was closed with ${closeCodes[0]}; PM2 says:\n${log}`)
    if (!log.includes('exited with code [0] via signal [SIGINT]')) throw new Error(`PM2 says:\n${log}`)
  } finally {
    await pm2('kill')
  }
}

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(PACKAGES)
const folder = await mkdtemp(join(tmpdir(), 'holdfast-recipes-'))
try {
  await install(
    folder,
    names.flatMap((name) => PACKAGES[name]),
  )
  if (names.includes('next')) for (const mode of ['development', 'production']) await tryNext(folder, mode)
  if (names.includes('pm2')) await tryPm2(folder)
} finally {
  await rm(folder, { recursive: true, force: true })
}
