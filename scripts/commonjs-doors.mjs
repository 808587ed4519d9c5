import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { declarationsIn } from './declarations.mjs'

/**
 * Makes `dist/cjs`, as Rollup wrote it, a folder of CommonJS with types of its own: a declaration says of what kind the
 * module is that it stands for, so that those of `dist` cannot stand for both.
 */
const declarations = declarationsIn('dist')
for (const path of declarations) cpSync(path, path.replace(/^dist/, 'dist/cjs'))
writeFileSync('dist/cjs/package.json', JSON.stringify({ type: 'commonjs', sideEffects: false }))

/** Tools that do not read `exports` look for a door in a folder of its name. */
const { exports } = JSON.parse(readFileSync('package.json', 'utf8'))
for (const [door, { require, default: module }] of Object.entries(exports)) {
  if (door === '.' || !require) continue
  const main = require.default
  const paths = { main, module, types: main.replace(/\.js$/, '.d.ts') }
  const manifest = Object.entries(paths).map(([field, path]) => [field, path.replace('.', '..')])
  mkdirSync(door, { recursive: true })
  writeFileSync(`${door}/package.json`, `${JSON.stringify({ ...Object.fromEntries(manifest), sideEffects: false })}\n`)
}
