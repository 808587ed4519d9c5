import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import vm from 'node:vm'
import { run } from './run.mjs'

const manifest = JSON.parse(readFileSync('package.json', 'utf8'))
const doors = Object.keys(manifest.exports)
  .filter((path) => path !== './package.json')
  .map((path) => path.replace(/^\./, manifest.name))

/** What users have beside us: React's users have React, TypeScript's users have types. */
const companions = ['react', '@types/react', '@types/node'].map((name) => `${name}@${manifest.devDependencies[name]}`)

const project = mkdtempSync(join(tmpdir(), `${manifest.name}-package-`))
const installed = join(project, 'node_modules', manifest.name)

/** Installs what npm would publish into an empty project, and goes in through every door of it. */
try {
  await install()
  await importDoors()
  await compileAgainst('NodeNext')
  await compileAgainst('Bundler')
  await loadScriptTag()
  await startEchoServer()
} catch (error) {
  console.error(`✗ ${error.message}`)
  process.exitCode = 1
} finally {
  rmSync(project, { recursive: true, force: true })
}

async function install() {
  await must('npm', ['pack', '--ignore-scripts', '--pack-destination', project], { cwd: process.cwd() })
  write('package.json', JSON.stringify({ private: true, type: 'module' }))
  const tarball = `./${manifest.name}-${manifest.version}.tgz`
  await must('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball, ...companions])
  console.log('✓ the tarball installs into an empty project')
}

async function importDoors() {
  write(
    'doors.mjs',
    `for (const door of ${JSON.stringify(doors)}) {
      const names = Object.keys(await import(door))
      if (names.length === 0) throw new Error(door + ' exports nothing')
      console.log('✓ ' + door + ' has ' + names.join(', '))
    }`,
  )
  console.log((await must('node', ['doors.mjs'])).trim())
}

async function compileAgainst(moduleResolution) {
  const module = moduleResolution === 'Bundler' ? 'ESNext' : moduleResolution
  const compilerOptions = { module, moduleResolution, target: 'ES2022', strict: true, noEmit: true, types: ['node'] }
  write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['user.ts'] }))
  write(
    'user.ts',
    `${doors.map((door, index) => `export * as door${index} from '${door}'`).join('\n')}
    import { createClient } from 'holdfast'
    interface Chat {
      fromServer: { message: { text: string } }
      toServer: { message: { text: string } }
    }
    const client = createClient<Chat>({ url: 'wss://example.com' })
    client.on('message', ({ text }) => text.trim())
    client.send('message', { text: 'hi' })
    // @ts-expect-error there is no such event
    client.send('massage', { text: 'hi' })`,
  )
  await must('tsc', ['--project', project])
  console.log(`✓ its types compile with moduleResolution ${moduleResolution}`)
}

/** A context without `process` and `require`, as in a page. */
async function loadScriptTag() {
  const page = vm.createContext({ Event, EventTarget, console })
  vm.runInContext(readFileSync(join(installed, manifest.unpkg), 'utf8'), page, { timeout: 5_000 })
  const missing = Object.keys(await import(join(installed, 'dist/index.js'))).filter((name) => !page.Holdfast?.[name])
  if (missing.length > 0) throw new Error(`The global Holdfast lacks ${missing.join(', ')}`)
  console.log(`✓ the script tag gives Holdfast with ${Object.keys(page.Holdfast).join(', ')}`)
}

async function startEchoServer() {
  const server = spawn(join(project, 'node_modules/.bin', manifest.name), ['echo', '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 20_000,
    killSignal: 'SIGKILL',
    shell: process.platform === 'win32',
  })
  server.on('error', (error) => console.error(error.message))
  for await (const line of createInterface(server.stdout)) {
    server.kill('SIGKILL')
    if (!/ws:\/\/\S+:\d+/.test(line)) throw new Error(`The echo server says "${line}" instead of its URL`)
    console.log(`✓ npx ${manifest.name} echo says ${line}`)
    return
  }
  throw new Error('The echo server ended without printing its URL')
}

function write(name, text) {
  writeFileSync(join(project, name), text)
}

async function must(command, args, options) {
  const { ok, output, reason } = await run(command, args, {
    cwd: project,
    timeoutMs: 120_000,
    capture: true,
    ...options,
  })
  if (!ok) throw new Error(`${command} ${args.join(' ')} ${reason}\n${output}`)
  return output
}
