import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** What is served, and from where; the first that fits wins. */
const FOLDERS = [
  ['/dist/', '../../dist/'],
  ['/', '../'],
]

const TYPES = {
  '.css': 'text/css',
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.jsx': 'text/plain', // For people to read; what runs is bundled below.
  '.map': 'application/json',
  '.svg': 'image/svg+xml',
}

/**
 * The file behind a path, or undefined. The path comes from `new URL`, which has resolved every `..`, and encoded ones
 * too; an encoded slash stays encoded, since nothing here is decoded.
 */
export function locate(path) {
  if (path.endsWith('/')) path += 'index.html'
  const [mount, folder] = FOLDERS.find(([prefix]) => path.startsWith(prefix))
  const isServed = extname(path) in TYPES && !path.includes('\\')
  return isServed ? fileURLToPath(new URL(folder, import.meta.url)) + path.slice(mount.length) : undefined
}

export const typeOf = (file) => TYPES[extname(file)]

/** React's development build, so that StrictMode mounts every component twice, as it does for you at work. */
export async function bundleReactPage() {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('../react.jsx', import.meta.url))],
    bundle: true,
    format: 'esm',
    jsx: 'automatic',
    conditions: ['development'], // Whole sentences as error messages, as the other pages have them.
    define: { 'process.env.NODE_ENV': '"development"' },
    write: false,
  })
  return outputFiles[0].contents
}
