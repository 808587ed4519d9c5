import { build, type Plugin } from 'esbuild'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join } from 'node:path'

const root = join(import.meta.dirname, '../..')

/** What a page may ask for: the built package. */
const FILES = /^\/dist\/[\w./-]+$/

const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.map': 'application/json',
}

/** A web server of the fixture pages. */
export interface PageServer {
  /** Without a slash at the end. */
  readonly origin: string
  close(): Promise<void>
}

/** Serves `e2e/fixtures/*.{html,mjs}`, their scripts (bundled on demand) and the built package, on a free port of 127.0.0.1. */
export async function createPageServer(): Promise<PageServer> {
  const bundles = new Map<string, Promise<string>>()
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://127.0.0.1').pathname
    contentOf(path).then(
      (content) => response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'text/plain' }).end(content),
      (error: unknown) => response.writeHead(404).end(String(error)),
    )
  })

  function contentOf(path: string): Promise<string> {
    if (FILES.test(path)) return readFile(join(root, path), 'utf8')
    if (/^\/[\w-]+\.(html|mjs)$/.test(path)) return readFile(join(root, 'e2e/fixtures', path), 'utf8')
    const name = /^\/([\w-]+)\.js$/.exec(path)?.[1]
    if (name === undefined) return Promise.reject(new Error(`There is no ${path}`))
    const bundle = bundles.get(name) ?? bundleOf(name)
    bundles.set(name, bundle)
    return bundle
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError(`No TCP address: ${address}`)
  return {
    origin: `http://127.0.0.1:${address.port}`,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

/** A fixture imports types from `src`; what runs is what was built from it. */
const builtPackage: Plugin = {
  name: 'built package',
  setup: ({ onResolve }) =>
    onResolve({ filter: /\/src\/.*\.js$/ }, ({ path }) => ({
      path: join(root, path.replace(/^.*\/src\//, 'dist/')),
    })),
}

async function bundleOf(name: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: { [name]: join(root, 'e2e/fixtures', name) },
    bundle: true,
    write: false,
    format: 'iife',
    target: 'es2022',
    jsx: 'automatic',
    jsxDev: true,
    define: { 'process.env.NODE_ENV': '"development"' },
    plugins: [builtPackage],
    logLevel: 'silent',
  })
  return outputFiles[0]?.text ?? ''
}
