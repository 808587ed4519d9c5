import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path/posix'
import ts from 'typescript'
import { expect, test, vi } from 'vitest'

// Every file is parsed, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 })

/** A file imports only from its own floor and from those below. The longest matching path decides. */
const FLOORS: Record<number, string[]> = {
  0: ['check.ts', 'errors.ts', 'contract.ts', 'protocol/', 'outbox/store.ts'],
  1: ['session/', 'dialects/', 'outbox/'],
  2: ['events.ts', 'platform.ts', 'transport/'],
  3: ['alarm.ts', 'ask.ts', 'dialler.ts', 'options.ts', 'snapshot.ts', 'surface.ts', 'client.ts', 'server/'],
  4: ['index.ts', 'global.ts', 'indexeddb.ts', 'socketio.ts', 'websocket.ts', 'websocket/', 'react/'],
}

/** Each package is imported by one file, or, where a folder stands here, by files in that folder. */
const PACKAGES: Record<string, string> = {
  partysocket: 'transport/transport.ts',
  nanoevents: 'events.ts',
  idb: 'outbox/segmented-log.ts',
  ws: 'server/',
  'engine.io-parser': 'dialects/socketio-packets.ts',
  'socket.io-parser': 'dialects/socketio-packets.ts',
  react: 'react/',
  node: 'server/',
}

/** Clocks, chance and the page are touched here and nowhere else; all other code is told. */
const WORLDLY = ['platform.ts', 'transport/', 'outbox/indexeddb-store.ts', 'outbox/segmented-log.ts', 'server/']
const BANNED = new Set(
  ['Date', 'Math.random', 'setTimeout', 'setInterval', 'performance', 'crypto', 'navigator'].concat([
    'window',
    'document',
    'indexedDB',
    'localStorage',
    'sessionStorage',
    'console',
    'globalThis',
    'self',
  ]),
)

const LINES_MAX = 300

interface File {
  path: string
  text: string
}

/** Says what is wrong with the files and what to do about it; an empty list is good news. */
type Rule = (files: File[]) => string[]

const keepsFloors: Rule = (files) => {
  const homeless = files.filter(({ path }) => floorOf(path) === undefined)
  const upwards = importsOf(files).filter(({ from, to }) => isOurs(to) && (floorOf(to) ?? 0) > (floorOf(from) ?? 0))
  return [
    ...homeless.map(({ path }) => `${path} is on no floor: give it one in FLOORS`),
    ...upwards.map(
      ({ from, to }) =>
        `${from} (floor ${floorOf(from)}) imports ${to} (floor ${floorOf(to)}): move what it needs down, or pass it in`,
    ),
  ]
}

const hasNoCycles: Rule = (files) => {
  const imports = importsOf(files)
  return files
    .filter(({ path }) => reachable(imports, next(imports, path)).has(path))
    .map(({ path }) => `${path} imports itself by way of others: take out what they share`)
}

const keepsPackagesApart: Rule = (files) => {
  const uses = importsOf(files).filter(({ to }) => !isOurs(to))
  const misplaced = uses.flatMap(({ from, to }) => {
    const home = PACKAGES[packageOf(to)]
    if (home === undefined) return [`${from} imports ${to}: add the package to PACKAGES, or do without`]
    return isIn(from, [home]) ? [] : [`${from} imports ${to}, which only src/${home} may: go through that`]
  })
  const unused = Object.keys(PACKAGES).filter((name) => !uses.some(({ to }) => packageOf(to) === name))
  return misplaced.concat(unused.map((name) => `Nobody imports ${name}: take it out of PACKAGES and package.json`))
}

const staysPure: Rule = (files) =>
  files
    .filter(({ path }) => !isIn(path, WORLDLY))
    .flatMap((file) =>
      [...globalsOf(file)]
        .filter((name) => BANNED.has(name))
        .map((name) => `${file.path} uses ${name}: ask the platform`),
    )

const staysShort: Rule = (files) =>
  files
    .filter(({ text }) => text.trimEnd().split('\n').length > LINES_MAX)
    .map(({ path, text }) => `${path} has ${text.trimEnd().split('\n').length} lines, more than ${LINES_MAX}: split it`)

const hasMirrors =
  (tests: string[]): Rule =>
  (files) =>
    files
      .filter((file) => !doors.includes(file.path) && !isTypesOnly(file))
      .map(({ path }) => ({ path, mirror: path.replace(/^src/, 'test').replace(/\.tsx?$/, '.test.ts') }))
      .filter(({ mirror }) => !tests.includes(mirror) && !tests.includes(`${mirror}x`))
      .map(({ path, mirror }) => `${path} has no test of its own: write ${mirror}`)

const hasNoDeadFiles: Rule = (files) => {
  const alive = reachable(importsOf(files), doors)
  return files.filter(({ path }) => !alive.has(path)).map(({ path }) => `${path} is reached from no door: delete it`)
}

const runsEveryTest: Rule = (files) =>
  files.flatMap((file) =>
    nodesOf(file)
      .filter(ts.isPropertyAccessExpression)
      .filter(({ expression }) => /^(test|it|describe|suite)\b/.test(expression.getText()))
      .filter(({ name }) => ['only', 'skip', 'todo', 'fixme', 'retry'].includes(name.text))
      .map((node) => `${file.path} has ${node.getText()}: every test runs, once`),
  )

const leavesNoNotes: Rule = (files) =>
  files
    .filter(({ text }) => /\b(TO[D]O|FIX[M]E|X[X]X)\b/.test(text))
    .map(({ path }) => `${path} has a note to do something: do it, or open an issue`)

const namesNoMachine: Rule = (files) =>
  files
    .filter(({ text }) => /(?<![\w.])\/(work|root)\//.test(text))
    .map(({ path }) => `${path} has a path of one machine: make it relative`)

const locksNoAddress: Rule = (files) =>
  files
    .filter(({ path, text }) => path === 'package-lock.json' && text.includes('"resolved"'))
    .map(() => 'package-lock.json names a registry: run npm install with --omit-lockfile-registry-resolved')

/** npm leaves out the binaries of other machines when it finds node_modules beside a lockfile that it writes anew. */
const locksEveryMachine: Rule = (files) =>
  files
    .filter(({ path }) => path === 'package-lock.json')
    .flatMap(({ text }) => {
      const { packages } = JSON.parse(text) as { packages: Record<string, { optionalDependencies?: object }> }
      const locked = new Set(Object.keys(packages).map((path) => path.replace(/^.*node_modules\//, '')))
      const wanted = Object.values(packages).flatMap((one) => Object.keys(one.optionalDependencies ?? {}))
      return wanted
        .filter((name) => !locked.has(name))
        .map((name) => `package-lock.json lacks ${name}, so npm ci refuses it: write it anew without node_modules`)
    })

const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { encoding: 'utf8' })
  .split('\n')
  .filter((path) => path && existsSync(path))
  .map((path): File => ({ path, text: readFileSync(path, 'utf8') }))
const under = (folder: string): File[] => tracked.filter(({ path }) => path.startsWith(folder) && /\.tsx?$/.test(path))
const sources = under('src/')
const tests = [...under('test/'), ...under('e2e/')]
const mirrors = hasMirrors(tests.map(({ path }) => path))

/** The doors of the package are what the build starts from. */
const doors = [...readFileSync('rollup.config.mjs', 'utf8').matchAll(/'(src\/[^']+)'/g)].map(([, path]) => path ?? '')

const file = (path: string, text: string): File => ({ path, text })

const rules: [claim: string, rule: Rule, files: File[]][] = [
  ['import only downwards', keepsFloors, sources],
  ['import nothing in a circle', hasNoCycles, sources],
  ['import each package in its place', keepsPackagesApart, sources],
  ['leave clocks, chance and the page alone', staysPure, sources],
  ['fit three screens', staysShort, sources],
  ['have tests of their own', mirrors, sources],
  ['are all reached from a door', hasNoDeadFiles, sources],
  ['run every test', runsEveryTest, tests],
  ['leave nothing for later', leavesNoNotes, tracked],
  ['name no machine', namesNoMachine, tracked],
  ['name no registry', locksNoAddress, tracked],
  ['install on every machine', locksEveryMachine, tracked],
]

test.each(rules)('the files %s', (_, rule, files) => {
  expect(files).not.toEqual([])

  expect(rule(files)).toEqual([])
})

const faults: [fault: string, rule: Rule, ...bad: File[]][] = [
  ['imports src/client.ts', keepsFloors, file('src/errors.ts', "import type { A } from './client.js'")],
  ['imports src/client.ts', keepsFloors, file('src/session/a.ts', "type A = import('../client.js').A")],
  ['is on no floor', keepsFloors, file('src/attic/a.ts', 'export const a = 1')],
  ['imports itself', hasNoCycles, file('src/a.ts', "import './b.js'"), file('src/b.ts', "export * from './a.js'")],
  ['only src/transport/transport.ts may', keepsPackagesApart, file('src/client.ts', "import 'partysocket/ws'")],
  ['imports left-pad', keepsPackagesApart, file('src/client.ts', "await import('left-pad')")],
  ['Nobody imports ws', keepsPackagesApart, file('src/client.ts', '')],
  ['uses Date', staysPure, file('src/client.ts', 'const at = Date.now()')],
  ['uses Math.random', staysPure, file('src/client.ts', 'const a = [Math.random()]')],
  ['uses document', staysPure, file('src/client.ts', 'const page = { document }')],
  ['301 lines', staysShort, file('src/client.ts', 'a\n'.repeat(301))],
  ['write test/session/none.test.ts', mirrors, file('src/session/none.ts', 'export const a = 1')],
  ['reached from no door', hasNoDeadFiles, file('src/session/none.ts', 'export const a = 1')],
  ['test.only', runsEveryTest, file('test/a.test.ts', "test.only('a', () => {})")],
  ['describe.concurrent.skip', runsEveryTest, file('test/a.test.ts', "describe.concurrent.skip('a')")],
  ['has a note', leavesNoNotes, file('src/a.ts', ['// TO', 'DO: think'].join(''))],
  ['one machine', namesNoMachine, file('README.md', ['see /wo', 'rk/main'].join(''))],
  ['names a registry', locksNoAddress, file('package-lock.json', '{ "resolved": "" }')],
  [
    'lacks b',
    locksEveryMachine,
    file('package-lock.json', '{ "packages": { "node_modules/a": { "optionalDependencies": { "b": "1" } } } }'),
  ],
]

test.each(faults)('finds fault: %s', (fault, rule, ...bad) => {
  expect(rule(bad)).toContainEqual(expect.stringContaining(fault))
})

test('what is declared in a file is not taken for a global', () => {
  const text =
    'function take(window: number, { crypto }: { crypto: 1 }) { return { window, x: state.document, crypto } }'

  expect(staysPure([file('src/client.ts', text)])).toEqual([])
})

function importsOf(files: File[]): { from: string; to: string }[] {
  return files.flatMap((source) =>
    nodesOf(source)
      .filter(ts.isStringLiteral)
      .filter(({ parent }) => isImport(parent) || (ts.isLiteralTypeNode(parent) && ts.isImportTypeNode(parent.parent)))
      .map(({ text }) => ({ from: source.path, to: resolve(source.path, text) })),
  )
}

function isImport(node: ts.Node): boolean {
  if (ts.isCallExpression(node)) return node.expression.kind === ts.SyntaxKind.ImportKeyword
  return ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
}

/** `./a.js` in a source means `a.ts` or `a.tsx`; a package stays what it is. */
function resolve(from: string, name: string): string {
  if (!name.startsWith('.')) return name
  const path = normalize(join(dirname(from), name)).replace(/\.js$/, '.ts')
  return existsSync(`${path}x`) ? `${path}x` : path
}

function isOurs(path: string): boolean {
  return path.startsWith('src/')
}

function packageOf(name: string): string {
  if (name.startsWith('node:')) return 'node'
  return name.startsWith('@') ? name.split('/').slice(0, 2).join('/') : (name.split('/')[0] ?? name)
}

function floorOf(path: string): number | undefined {
  const places = Object.entries(FLOORS).flatMap(([floor, paths]) => paths.map((place) => ({ floor, place })))
  const [closest] = places.filter(({ place }) => isIn(path, [place])).sort((a, b) => b.place.length - a.place.length)
  return closest && Number(closest.floor)
}

function isIn(path: string, places: string[]): boolean {
  return places.some((place) => (place.endsWith('/') ? path.startsWith(`src/${place}`) : path === `src/${place}`))
}

function next(imports: { from: string; to: string }[], path: string): string[] {
  return imports.filter(({ from }) => from === path).map(({ to }) => to)
}

function reachable(imports: { from: string; to: string }[], starts: string[]): Set<string> {
  const seen = new Set<string>()
  const visit = (path: string): void => {
    if (seen.has(path)) return
    seen.add(path)
    next(imports, path).forEach(visit)
  }
  starts.forEach(visit)
  return seen
}

function isTypesOnly({ text }: File): boolean {
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, removeComments: true }
  return /^(export \{\};)?$/.test(ts.transpileModule(text, { compilerOptions }).outputText.trim())
}

const parsed = new WeakMap<File, ts.Node[]>()

function nodesOf(source: File): ts.Node[] {
  const nodes = parsed.get(source) ?? []
  if (nodes.length > 0) return nodes
  const visit = (node: ts.Node): void => {
    nodes.push(node)
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(source.path, source.text, ts.ScriptTarget.Latest, true))
  parsed.set(source, nodes)
  return nodes
}

/** The names that a file uses and does not declare: `Date`, and of `Math` also `Math.random`. */
function globalsOf(source: File): Set<string> {
  const names = nodesOf(source).filter(ts.isIdentifier)
  const declared = new Set(names.filter(isDeclaration).map(({ text }) => text))
  const used = names.filter((name) => !isDeclaration(name) && !isProperty(name) && !declared.has(name.text))
  return new Set(used.flatMap(({ text, parent }) => [text, parent.getText()]))
}

function isDeclaration(name: ts.Identifier): boolean {
  const { parent } = name
  return (
    (ts.isVariableDeclaration(parent) || ts.isParameter(parent) || ts.isBindingElement(parent)) && parent.name === name
  )
}

function isProperty(name: ts.Identifier): boolean {
  const { parent } = name
  if (ts.isPropertyAccessExpression(parent)) return parent.name === name
  if (ts.isQualifiedName(parent)) return parent.right === name
  return 'name' in parent && parent.name === name && !ts.isShorthandPropertyAssignment(parent)
}
