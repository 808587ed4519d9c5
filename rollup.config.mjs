import resolve from '@rollup/plugin-node-resolve'
import terser from '@rollup/plugin-terser'
import typescript from '@rollup/plugin-typescript'
import { slimPackages } from './scripts/slim-packages.mjs'
import { terseErrors } from './scripts/terse-errors.mjs'
import { thirdPartyLicenses } from './scripts/third-party-licenses.mjs'

/**
 * Packages that a bundler on the user's side resolves, so that they are shared and can be updated. The others, of which
 * Holdfast uses a small part, are in dist as far as they are used.
 */
const external = ['react', 'ws', /^(engine|socket)\.io-parser$/, /^node:/]

const packages = [resolve({ browser: true }), slimPackages()]

/** Only translates: types are checked by `npm test` and declarations written by tsc. */
const compile = (target, outDir = 'dist') =>
  typescript({
    tsconfig: 'tsconfig.build.json',
    target,
    outDir,
    module: 'ESNext',
    moduleResolution: 'Bundler',
    noCheck: true,
    declaration: false,
    emitDeclarationOnly: false,
  })

/** The doors that a page comes in by. */
const pageDoors = {
  index: 'src/index.ts',
  reliable: 'src/reliable.ts',
  indexeddb: 'src/indexeddb.ts',
  msgpack: 'src/msgpack.ts',
  socketio: 'src/socketio.ts',
  websocket: 'src/websocket.ts',
  react: 'src/react.ts',
}

/** One ES module for each door of the package; what doors share goes into chunks. */
const doors = (input, dir, plugin) => ({
  input,
  external,
  plugins: [compile('ES2022', dir), ...packages, plugin],
  // Hoisted, a package that only a chunk needs would be a bare import of the door, of which bundlers warn.
  output: { dir, format: 'es', sourcemap: true, chunkFileNames: 'chunks/[name].js', hoistTransitiveImports: false },
})

/** Without `unsafe_methods` and `unsafe_arrows`: they change functions into some that `new` refuses. */
const minify = () => [terseErrors(), terser({ ecma: 2020, compress: { passes: 3, pure_getters: true } })]

/** All of it in one file for people to read, and in one for pages to load. A script tag gives a global `Holdfast`. */
const files = (name, format) => [
  { file: `dist/${name}.js`, format, name: 'Holdfast', sourcemap: true },
  { file: `dist/${name}.min.js`, format, name: 'Holdfast', sourcemap: true, plugins: minify() },
]

/** The same doors for `require`. They have no source maps: nothing is minified, and it is tests that load them. */
const commonJs = (input) => ({
  input,
  external,
  plugins: [compile('ES2022', 'dist/cjs'), ...packages],
  output: { ...asCommonJs, dir: 'dist/cjs', chunkFileNames: 'chunks/[name].js' },
})

/** Marked as translated modules, so that each import of them means what it means of an ES module. */
const asCommonJs = { format: 'cjs', exports: 'named', esModule: true }

/** For pages without a bundler. */
const alone = (input, output) => ({ input, plugins: [compile('ES2020'), ...packages], output })

export default [
  doors({ ...pageDoors, server: 'src/server.ts', cli: 'src/server/echo/cli.ts' }, 'dist', thirdPartyLicenses()),
  commonJs({ ...pageDoors, server: 'src/server.ts' }), // scripts/commonjs-doors.mjs adds the types.
  doors(pageDoors, 'dist/production', terseErrors()), // Where package.json sees neither Node nor development.
  // All that a page may need.
  alone('src/browser.ts', [
    ...files('holdfast.global', 'iife'),
    ...files('holdfast.esm', 'es'),
    { ...asCommonJs, file: 'dist/cjs/browser.js' },
  ]),
  alone('src/global-plain.ts', files('holdfast.plain.global', 'iife')), // The plain dialect, in memory.
]
