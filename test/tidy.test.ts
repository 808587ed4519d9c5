import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path/posix'
import ts from 'typescript'
import { expect, test, vi } from 'vitest'

// Every file is parsed, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 })

/** The rooms of the house. A file imports only from its own room and from those above it; doors are below all rooms. */
const ROOMS = [
  'shared/',
  'protocol/',
  'outbox/',
  'outbox/stores/',
  'platform/',
  'dialects/',
  'dialects/plain/',
  'dialects/reliable/',
  'dialects/socketio/',
  'connection/',
  'client/',
  'react/',
  'websocket/',
  'server/',
  'server/stores/',
  'server/ordering/',
  'server/base/',
  'server/session/',
  'server/connection/',
  'server/engine/',
  'server/http/',
  'server/echo/',
]

/** Each package is imported by one file, or, where a folder stands here, by files in that folder. */
const PACKAGES: Record<string, string> = {
  partysocket: 'platform/transport.ts',
  nanoevents: 'shared/emitter.ts',
  idb: 'outbox/stores/segmented-log.ts',
  ws: 'server/',
  'engine.io-parser': 'dialects/socketio/packets.ts',
  'socket.io-parser': 'dialects/socketio/packets.ts',
  react: 'react/',
  node: 'server/',
}

/** Clocks, chance and the page are touched here and nowhere else; all other code is told. */
const WORLDLY = ['platform/', 'outbox/stores/', 'server/']
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
const FUNCTION_LINES_MAX = 70

/**
 * The functions that are longer today: the lines of each function of that name, longest first. They may only shrink.
 * Names without paths, so that a file may move.
 */
const LONG_FUNCTIONS: Record<string, number[]> = {
  createConnection: [85],
  createCore: [89],
  createOutbox: [72],
}

/** Private words in names, and the field's words for them. A word is written as in `takeOut`, `takeOuts` or `take-out.ts`. */
const WORDS: Record<string, string> = {
  alarm: 'DeadlineTimer',
  asker: 'AuthSource',
  bury: 'recordFailure',
  conclude: 'complete',
  condemned: 'tombstones',
  dialler: 'dialer',
  downlink: 'Sender',
  gate: 'authenticator',
  ghosts: 'settledInFlight',
  heads: 'firstPending',
  hoard: 'keepUnpersisted',
  inbox: 'IncomingMessages',
  intake: 'frame handlers',
  isWitnessed: 'hasSeenAll',
  journal: 'persistence',
  meaning: 'ProtocolEvent',
  moved: 'onAdvance',
  outflow: 'SendBuffer',
  ring: 'onElapsed',
  spout: 'SendBuffer',
  strangers: 'unannounced',
  surface: 'api',
  suspects: 'candidates',
  takeOut: 'dequeue',
  turnstile: 'PausableQueue',
  uplink: 'IncomingMessages',
}

/** The same, in some folders only. A variable of the browser's class may be a `channel`. */
const WORDS_IN_PLACES: readonly [place: string, name: RegExp, plainer: string][] = [
  ['src/', /(?<!Broadcast)Channel(?![a-z])/, 'ClientProtocol'],
  ['src/', /^commits$/, 'groupCommit'],
  ['src/', /^look$/, 'poll'],
  ['src/server/', /^settle$/, 'whenDone'],
]

/** Files in which such words still stand: the list may only shrink. */
const FILES_WITH_WORDS: Record<string, string[]> = {
  'src/server/ordering/fifo.ts': ['takeOut'],
  'src/server/ordering/waiting-items.ts': ['takeOut'],
  'src/server/session/stream-writer.ts': ['takeOut'],
}

interface File {
  path: string
  text: string
}

/** Says what is wrong with the files and what to do about it; an empty list is good news. */
type Rule = (files: File[]) => string[]

const keepsRooms: Rule = (files) => {
  const homeless = files.filter(({ path }) => roomOf(path) === undefined)
  const upwards = importsOf(files).filter(({ from, to }) => isOurs(to) && (roomOf(to) ?? 0) > (roomOf(from) ?? 0))
  return [
    ...homeless.map(({ path }) => `${path} is in no room: give it one in ROOMS, or make it a door`),
    ...upwards.map(
      ({ from, to }) => `${from} imports ${to}, from a room below its own: move what it needs up, or pass it in`,
    ),
  ]
}

const onlyReExports: Rule = (files) =>
  files
    .filter(({ path }) => isDoor(path))
    .filter(({ text }) => !isReExports(text))
    .map(({ path }) => `${path} is a door and does more than re-export: move that into a room`)

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

const hasShortFunctions =
  (known: Record<string, number[]>): Rule =>
  (files) => {
    const long = files.flatMap(functionsOf).filter(({ lines }) => lines > FUNCTION_LINES_MAX)
    const names = new Set([...long.map(({ name }) => name), ...Object.keys(known)])
    return [...names].flatMap((name) => {
      const found = long.filter((one) => one.name === name).sort((one, other) => other.lines - one.lines)
      return found.length > (known[name]?.length ?? 0)
        ? found.map(
            ({ path, lines }) => `${path}: ${name} has ${lines} lines, more than ${FUNCTION_LINES_MAX}: split it`,
          )
        : (known[name] ?? []).flatMap((allowed, index) => compare(name, allowed, found[index]))
    })
  }

/** A function against the length that LONG_FUNCTIONS allows it. */
function compare(name: string, allowed: number, found: FunctionSize | undefined): string[] {
  if (found === undefined) return [`${name} has no longer ${allowed} lines: take it out of LONG_FUNCTIONS`]
  const { path, lines } = found
  if (lines > allowed) return [`${path}: ${name} has grown from ${allowed} to ${lines} lines: split it`]
  return lines < allowed ? [`${path}: ${name} has shrunk to ${lines} lines: write so in LONG_FUNCTIONS`] : []
}

const usesPlainWords =
  (known: Record<string, string[]>): Rule =>
  (files) =>
    files.flatMap((file) => {
      const found = wordsOf(file)
      const allowed = known[file.path] ?? []
      return [
        ...[...found]
          .filter(([word]) => !allowed.includes(word))
          .map(
            ([word, [name, plainer]]) => `${file.path}: ${name} has "${word}" in it, the plainer word is ${plainer}`,
          ),
        ...allowed
          .filter((word) => !found.has(word))
          .map((word) => `${file.path} is free of "${word}": take that out of FILES_WITH_WORDS`),
      ]
    })

/** The private words in a file and in its name: the word, the first name that has it, and the plainer word. */
function wordsOf(file: File): Map<string, [name: string, plainer: string]> {
  const fileName =
    file.path
      .split('/')
      .at(-1)
      ?.replace(/\.\w+$/, '') ?? ''
  const isName = (node: ts.Node): node is ts.Identifier | ts.PrivateIdentifier =>
    ts.isIdentifier(node) || ts.isPrivateIdentifier(node)
  const names = new Set([
    fileName.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase()),
    ...nodesOf(file)
      .filter(isName)
      .map(({ text }) => text),
  ])
  const found = new Map<string, [string, string]>()
  for (const name of names) {
    for (const [word, plainer] of Object.entries(WORDS)) if (hasWord(name, word)) found.set(word, [name, plainer])
    for (const [place, pattern, plainer] of WORDS_IN_PLACES) {
      if (file.path.startsWith(place) && pattern.test(name)) found.set(name, [name, plainer])
    }
  }
  return found
}

/** Whether the name is made of this word and others, or of its plural: `ring` stands in `ringAt`, not in `string`. */
function hasWord(name: string, word: string): boolean {
  const capital = `${word[0]?.toUpperCase()}${word.slice(1)}`
  return new RegExp(`(?:(?:^|[^a-zA-Z])${word}|${capital})s?(?![a-z])`).test(name)
}

/** Classes of the language and the browser, of which each realm has its own. `Set` is asked of our own sets alone. */
const REALM_CLASSES = ['Promise', 'Error', 'DOMException', 'ArrayBuffer', 'Uint8Array', 'Blob', 'File', 'Date', 'Map']

const knowsOtherRealms: Rule = (files) =>
  files.flatMap((file) =>
    nodesOf(file)
      .filter(ts.isBinaryExpression)
      .filter(({ operatorToken }) => operatorToken.kind === ts.SyntaxKind.InstanceOfKeyword)
      .filter(({ right }) => REALM_CLASSES.includes(right.getText()))
      .map((node) => `${file.path} asks ${node.getText()}, which is false in another realm: use src/shared/realms.ts`),
  )

/** `import` and `require` may each load a copy of this package, with error classes of its own. */
const knowsOtherCopies: Rule = (files) =>
  files.flatMap((file) =>
    nodesOf(file)
      .filter(ts.isBinaryExpression)
      .filter(({ operatorToken }) => operatorToken.kind === ts.SyntaxKind.InstanceOfKeyword)
      .filter(({ right }) => /.Error$/.test(right.getText()))
      .map(
        (node) => `${file.path} asks ${node.getText()}, which is false of another copy: ask isHoldfastError, or name`,
      ),
  )

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
  .filter((path) => path && !path.endsWith('.png') && existsSync(path))
  .map((path): File => ({ path, text: readFileSync(path, 'utf8') }))
const under = (folder: string): File[] => tracked.filter(({ path }) => path.startsWith(folder) && /\.tsx?$/.test(path))
const sources = under('src/')
const tests = [...under('test/'), ...under('e2e/')]
const helpers = [...under('test/support/'), ...under('test/simulation/'), ...under('e2e/support/')]
const programs = tracked.filter(({ path }) => /\.(ts|tsx|mjs|js)$/.test(path))

/** The doors of the package are what the build starts from. */
const doors = [...readFileSync('rollup.config.mjs', 'utf8').matchAll(/'(src\/[^']+)'/g)].map(([, path]) => path ?? '')

const file = (path: string, text: string): File => ({ path, text })

const rules: [claim: string, rule: Rule, files: File[]][] = [
  ['import only from rooms above their own', keepsRooms, sources],
  ['are doors that only re-export', onlyReExports, sources],
  ['import nothing in a circle', hasNoCycles, sources],
  ['import each package in its place', keepsPackagesApart, sources],
  ['leave clocks, chance and the page alone', staysPure, sources],
  ['fit three screens', staysShort, sources],
  ['have functions that fit one screen', hasShortFunctions(LONG_FUNCTIONS), programs],
  ["use the field's words", usesPlainWords(FILES_WITH_WORDS), [...sources, ...helpers]],
  ['ask no value from outside for its class', knowsOtherRealms, sources],
  ['ask no error for its class', knowsOtherCopies, sources],
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
  ['imports src/client/a.ts', keepsRooms, file('src/shared/a.ts', "import type { A } from '../client/a.js'")],
  ['imports src/client/a.ts', keepsRooms, file('src/outbox/a.ts', "type A = import('../client/a.js').A")],
  ['imports src/index.ts', keepsRooms, file('src/client/a.ts', "import '../index.js'")],
  ['is in no room', keepsRooms, file('src/attic/a.ts', 'export const a = 1')],
  ['does more than re-export', onlyReExports, file('src/index.ts', 'export const a = 1')],
  ['imports itself', hasNoCycles, file('src/a.ts', "import './b.js'"), file('src/b.ts', "export * from './a.js'")],
  ['only src/platform/transport.ts may', keepsPackagesApart, file('src/client/client.ts', "import 'partysocket/ws'")],
  ['imports left-pad', keepsPackagesApart, file('src/client/client.ts', "await import('left-pad')")],
  ['Nobody imports ws', keepsPackagesApart, file('src/client/client.ts', '')],
  ['uses Date', staysPure, file('src/client/client.ts', 'const at = Date.now()')],
  ['uses Math.random', staysPure, file('src/client/client.ts', 'const a = [Math.random()]')],
  ['uses document', staysPure, file('src/client/client.ts', 'const page = { document }')],
  ['301 lines', staysShort, file('src/client/client.ts', 'a\n'.repeat(301))],
  ['a has 71 lines', hasShortFunctions({}), file('src/a.ts', functionOf(71))],
  [
    'a has 72 lines',
    hasShortFunctions({ a: [73] }),
    file('src/a.ts', functionOf(72)),
    file('src/b.ts', functionOf(71)),
  ],
  ['grown from 71 to 72', hasShortFunctions({ a: [71] }), file('src/a.ts', functionOf(72))],
  ['grown from 71 to 72', hasShortFunctions({ a: [73, 71] }), file('src/a.ts', functionOf(73) + functionOf(72))],
  ['shrunk to 71', hasShortFunctions({ a: [72] }), file('src/a.ts', functionOf(71))],
  ['a has no longer 71 lines', hasShortFunctions({ a: [71] }), file('src/a.ts', functionOf(70))],
  ['src/outbox/a.ts: buryAll has "bury" in it', usesPlainWords({}), file('src/outbox/a.ts', 'const buryAll = 1')],
  ['#takeOut', usesPlainWords({}), file('src/outbox/a.ts', 'class A { #takeOut() {} }')],
  ['plainer word is SendBuffer', usesPlainWords({}), file('src/dialects/out-flow.ts'.replace('-', ''), '')],
  ['messageGate', usesPlainWords({}), file('src/server/message-gate.ts', '')],
  ['createChannel', usesPlainWords({}), file('src/outbox/a.ts', 'createChannel(new BroadcastChannel(name))')],
  ['whenDone', usesPlainWords({}), file('src/server/a.ts', 'settle(1)')],
  ['free of "ring"', usesPlainWords({ 'src/a.ts': ['ring'] }), file('src/a.ts', 'const string = during.recurring')],
  ['is false in another realm', knowsOtherRealms, file('src/a.ts', 'const a = b instanceof Promise')],
  ['is false of another copy', knowsOtherCopies, file('src/a.ts', 'const a = b instanceof StorageError')],
  ['reached from no door', hasNoDeadFiles, file('src/client/none.ts', 'export const a = 1')],
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

test('functions inside a function are counted apart', () => {
  const text = `const outer = () => {\n  return { ${functionOf(70).replace('function ', '').trim()} }\n}`

  expect(functionsOf(file('src/a.ts', text))).toEqual([
    { path: 'src/a.ts', name: 'outer', lines: 3 },
    { path: 'src/a.ts', name: 'a', lines: 70 },
  ])
})

test('what is declared in a file is not taken for a global', () => {
  const text =
    'function take(window: number, { crypto }: { crypto: 1 }) { return { window, x: state.document, crypto } }'

  expect(staysPure([file('src/client/client.ts', text)])).toEqual([])
})

/** The text of a function `a` with this many lines. */
function functionOf(lines: number): string {
  return `function a() {\n${'a()\n'.repeat(lines - 2)}}\n`
}

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

/** Where a file stands: the place of its room in ROOMS; doors are below all of them. */
function roomOf(path: string): number | undefined {
  if (isDoor(path)) return ROOMS.length
  const room = `${path.slice('src/'.length).split('/').slice(0, -1).join('/')}/`
  return ROOMS.includes(room) ? ROOMS.indexOf(room) : undefined
}

function isDoor(path: string): boolean {
  return /^src\/[\w-]+\.ts$/.test(path)
}

function isReExports(text: string): boolean {
  return ts
    .createSourceFile('door.ts', text, ts.ScriptTarget.Latest)
    .statements.every((statement) => ts.isExportDeclaration(statement) && statement.moduleSpecifier)
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

interface FunctionSize {
  readonly path: string
  readonly name: string
  /** Without the bodies of the functions inside, which are counted apart; each leaves the line on which it begins. */
  readonly lines: number
}

function functionsOf(source: File): FunctionSize[] {
  return nodesOf(source)
    .filter(hasBody)
    .map((node) => ({ path: source.path, name: nameOf(node), lines: ownLines(node) }))
}

type WithBody = ts.FunctionLikeDeclaration & { body: ts.ConciseBody }

function hasBody(node: ts.Node): node is WithBody {
  return ts.isFunctionLike(node) && 'body' in node && node.body !== undefined
}

function nameOf(node: WithBody): string {
  const { parent } = node
  if (node.name) return node.name.getText()
  return ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent) ? parent.name.getText() : 'nameless'
}

function ownLines(node: WithBody): number {
  const inside = (one: ts.Node): number => {
    let lines = 0
    ts.forEachChild(one, (child) => void (lines += hasBody(child) ? span(child.body) - 1 : inside(child)))
    return lines
  }
  return span(node) - inside(node)
}

function span(node: ts.Node): number {
  return node.getText().split('\n').length
}

/** The names that a file uses and does not declare: `Date`, and of `Math` also `Math.random`. */
function globalsOf(source: File): Set<string> {
  const names = nodesOf(source).filter(ts.isIdentifier)
  const declared = new Set(names.filter(isDeclaration).map(({ text }) => text))
  const used = names.filter(
    (name) => !isDeclaration(name) && !isProperty(name) && !declared.has(name.text) && !isGivenDate(name),
  )
  return new Set(used.flatMap(({ text, parent }) => [text, parent.getText()]))
}

function isDeclaration(name: ts.Identifier): boolean {
  const { parent } = name
  return (
    (ts.isVariableDeclaration(parent) || ts.isParameter(parent) || ts.isBindingElement(parent)) && parent.name === name
  )
}

/** A date of a time that is given asks no clock; nor does a type. */
function isGivenDate({ text, parent }: ts.Identifier): boolean {
  return (
    text === 'Date' && (ts.isTypeReferenceNode(parent) || (ts.isNewExpression(parent) && !!parent.arguments?.length))
  )
}

function isProperty(name: ts.Identifier): boolean {
  const { parent } = name
  if (ts.isPropertyAccessExpression(parent)) return parent.name === name
  if (ts.isQualifiedName(parent)) return parent.right === name
  return 'name' in parent && parent.name === name && !ts.isShorthandPropertyAssignment(parent)
}
