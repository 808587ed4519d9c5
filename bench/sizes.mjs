import { build } from 'esbuild'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

/**
 * What a page has to load, of ours and of the peers: each as a bundler makes it of one import line, minified, as an ES
 * module. Run after `npm run build`.
 */
const CONTESTANTS = {
  'holdfast, createClient': `export { createClient } from 'holdfast'`,
  'holdfast/socketio with createClient': `export { createClient } from 'holdfast'; export { socketIo } from 'holdfast/socketio'`,
  'the same with indexedDbStore': `export { createClient } from 'holdfast'; export { socketIo } from 'holdfast/socketio'; export { indexedDbStore } from 'holdfast/indexeddb'`,
  'socket.io-client': `export { io } from 'socket.io-client'`,
  'holdfast/websocket': `export { HoldfastWebSocket } from 'holdfast/websocket'`,
  partysocket: `export { WebSocket } from 'partysocket'`,
  'reconnecting-websocket': `export { default } from 'reconnecting-websocket'`,
}

const root = join(import.meta.dirname, '..')
const door = (name) => join(root, 'dist/production', `${name}.js`)
const alias = Object.fromEntries(
  ['index', 'socketio', 'indexeddb', 'websocket'].map((name) => [
    name === 'index' ? 'holdfast' : `holdfast/${name}`,
    door(name),
  ]),
)

console.log('| what a page imports | minified | gzip | brotli |\n| --- | ---: | ---: | ---: |')
for (const [name, contents] of Object.entries(CONTESTANTS)) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: root },
    alias,
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    minify: true,
    logLevel: 'error',
  })
  const code = Buffer.from(outputFiles[0].contents)
  const brotli = brotliCompressSync(code, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } })
  const sizes = [code, gzipSync(code, { level: 9 }), brotli].map(({ length }) => length.toLocaleString('en'))
  console.log(`| \`${name}\` | ${sizes.join(' | ')} |`)
}
