import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import vm from 'node:vm'
import { COMPILERS, compileConsumer } from './compile-consumer.mjs'
import { declarationsIn, importsOf, reachableFrom } from './declarations.mjs'
import { run } from './run.mjs'
import { APPLICATION, samplesOf } from './samples.mjs'

const manifest = JSON.parse(readFileSync('package.json', 'utf8'))
const doors = Object.keys(manifest.exports)
  .filter((path) => path !== './package.json')
  .map((path) => path.replace(/^\./, manifest.name))

/** What users have beside us: React's users have React, TypeScript's users have types. */
const companions = ['react', '@types/react', '@types/node'].map((name) => `${name}@${manifest.devDependencies[name]}`)

/** The packages whose types a door may name; all others name none. */
const FOREIGN_TYPES = { './react': (name) => name === 'react', './server': isBuiltin }

/** For a page, only the doors that neither Node nor React is needed for. */
const pageDoors = doors.filter((door) => !/react|server/.test(door))

const project = mkdtempSync(join(realpathSync(tmpdir()), `${manifest.name}-package-`))
const installed = join(project, 'node_modules', manifest.name)

/** Installs what npm would publish into an empty project, and goes in through every door of it. */
try {
  standAlone()
  await install()
  checkDeclarations()
  checkLicenses()
  await importDoors()
  await importProductionDoors()
  await requireDoors()
  await mixCopies()
  compileConsumers()
  await loadScriptTags()
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

/** Packages whose code is in dist: that the doors open without them is seen below. */
function checkLicenses() {
  const licenses = readFileSync(join(installed, 'dist/THIRD-PARTY-LICENSES.txt'), 'utf8')
  for (const name of ['idb', 'nanoevents', 'partysocket']) {
    const title = `${name} ${manifest.devDependencies[name]} (`
    if (!licenses.includes(title)) throw new Error(`dist/THIRD-PARTY-LICENSES.txt has nothing of ${title}`)
  }
  console.log('✓ the licences of the packages in it go along')
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

/** A page's bundler takes these doors, unless it builds for development. Each has what the door with words has. */
async function importProductionDoors() {
  for (const [door, paths] of Object.entries(manifest.exports)) {
    if (!paths.development) continue
    const [terse, wordy] = await Promise.all(
      [paths.default, paths.development].map(async (file) => Object.keys(await import(join(installed, file)))),
    )
    if (terse.join() !== wordy.join())
      throw new Error(`${door} has ${terse.join()} in production, otherwise ${wordy.join()}`)
  }
  console.log('✓ in production each door has the same')
}

/** As Node requires a door, as Jest and older versions of Node do, and as tools do that do not read `exports`. */
async function requireDoors() {
  const folders = doors.map((door) => `./node_modules/${door}`)
  write(
    'doors.cjs',
    `const { isDeepStrictEqual } = require('node:util')
    const [doors, folders, kind] = ${JSON.stringify([doors, folders])}.concat(process.argv[2])
    ;(async () => {
      for (const [index, door] of doors.entries()) {
        const required = require(kind === 'folder' ? folders[index] : door)
        const imported = await import(door)
        if (!isDeepStrictEqual(Object.keys(required).sort(), Object.keys(imported).sort()))
          throw new Error(door + ' has ' + Object.keys(required) + ' when required, ' + Object.keys(imported) + ' when imported')
        const isSame = Object.entries(imported).every(([name, value]) => required[name] === value)
        if (isSame !== (kind === 'copy')) throw new Error(door + ' is ' + (isSame ? 'one' : 'two') + ' in one program')
      }
    })()`,
  )
  const olderNode = '--no-experimental-require-module'
  await must('node', ['doors.cjs', 'copy'])
  await must('node', [olderNode, 'doors.cjs', 'exports'])
  await must('node', [olderNode, 'doors.cjs', 'folder'])
  console.log('✓ each door can be required: in Node it is the one that is imported, elsewhere it is CommonJS')
}

/** Where a program has both kinds, what the one makes means the same to the other. */
async function mixCopies() {
  write(
    'copies.cjs',
    `const { RejectedError } = require('holdfast/server')
    const { createClient, reliable } = require('holdfast/reliable')
    import('holdfast/server').then(async (other) => {
      if (other.RejectedError === RejectedError) throw new Error('There is one copy')
      const server = other.createServer()
      server.on('session', (session) => session.on('order', () => { throw new RejectedError('sold out') }))
      const { url } = await server.listening
      const client = createClient({ url, WebSocket: require('ws'), dialect: reliable() })
      client.connect()
      const error = await client.send('order', 1).delivered.catch((thrown) => thrown)
      await client.close()
      await server.close()
      if (error.code !== 'REJECTED' || error.message !== 'sold out') throw error
    })`,
  )
  await must('node', ['--no-experimental-require-module', 'copies.cjs'])
  console.log('✓ a required copy and an imported one understand each other')
}

/** What lies in a folder above is found from the project too, and would stand in for what the package lacks. */
function standAlone() {
  for (let folder = dirname(project); ; folder = dirname(folder)) {
    const packages = join(folder, 'node_modules')
    if (existsSync(packages)) throw new Error(`${packages} lies above the temporary folder: set TMPDIR to another`)
    if (folder === dirname(folder)) return
  }
}

/** A consumer has the types of Node and React, where it uses their doors, and of no other package. */
function checkDeclarations() {
  const entries = Object.entries(manifest.exports).filter(([, { types }]) => types)
  const reached = entries.flatMap(([door, { types, require }]) =>
    [...reachableFrom([types, require.types].map((path) => join(installed, path)))].map((path) => ({ door, path })),
  )
  const foreign = reached.flatMap(({ door, path }) =>
    importsOf(path)
      .packages.filter((name) => !FOREIGN_TYPES[door]?.(name))
      .map((name) => `${path}, part of the door ${door}, imports ${name}`),
  )
  const idle = declarationsIn(installed)
    .filter((path) => !reached.some((one) => one.path === path))
    .map((path) => `${path} is part of no door`)
  if (foreign.length + idle.length > 0) throw new Error([...foreign, ...idle].join('\n'))
  console.log(`✓ its ${new Set(reached.map(({ path }) => path)).size} declarations import no types of other packages`)
}

function compileConsumers() {
  const samples = samplesOf(readFileSync('README.md', 'utf8'))
  write('page.ts', userOf(pageDoors))
  write('user.ts', userOf(doors))
  write('user.cts', userOf(doors))
  write('application.d.ts', APPLICATION)
  for (const [name, text] of samples) write(name, text)
  const page = { files: ['page.ts'], types: [] }
  const everything = { files: ['user.ts', 'application.d.ts', ...samples.keys()], types: ['node'] }
  const commonJs = { files: ['user.cts'], types: ['node'] }
  const consumersWith = {
    Node10: [everything],
    Bundler: [page, everything],
    Node16: [commonJs, everything],
    NodeNext: [commonJs, everything],
  }
  for (const ts of COMPILERS) {
    for (const [moduleResolution, consumers] of Object.entries(consumersWith)) {
      const errors = consumers.flatMap((files) =>
        compileConsumer(ts, { project, ours: installed, moduleResolution, ...files }),
      )
      const settings = `TypeScript ${ts.version} and moduleResolution ${moduleResolution}`
      if (errors.length > 0) throw new Error(`With ${settings}:\n${errors.join('\n')}`)
      console.log(`✓ its types and the ${samples.size} samples of README.md compile with ${settings}`)
    }
  }
}

function userOf(names) {
  return `
  ${names.map((door, index) => `export * as door${index} from '${door}'`).join('\n')}
  import { createClient } from 'holdfast'
  interface Chat {
    fromServer: { message: { text: string } }
    toServer: { message: { text: string } }
  }
  const client = createClient<Chat>({ url: 'wss://example.com' })
  client.on('message', ({ text }) => text.trim())
  client.send('message', { text: 'hi' })
  // @ts-expect-error there is no such event
  client.send('massage', { text: 'hi' })`
}

/** In a context without `process` and `require`, as in a page. */
async function loadScriptTags() {
  loadScriptTag(manifest.unpkg, Object.keys(await import(join(installed, 'dist/index.js'))))
  loadScriptTag('dist/holdfast.plain.global.min.js', ['createClient', 'memoryStore', 'plain'])
}

function loadScriptTag(file, names) {
  const page = vm.createContext({ Event, EventTarget, console })
  vm.runInContext(readFileSync(join(installed, file), 'utf8'), page, { timeout: 5_000 })
  const missing = names.filter((name) => !page.Holdfast?.[name])
  if (missing.length > 0) throw new Error(`The global Holdfast of ${file} lacks ${missing.join(', ')}`)
  console.log(`✓ ${file} gives Holdfast with ${Object.keys(page.Holdfast).join(', ')}`)
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
