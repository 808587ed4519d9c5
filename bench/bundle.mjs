import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const HERE = dirname(fileURLToPath(import.meta.url))

/** `dist`, or another folder with the doors `index`, `indexeddb` and `reliable`, as JavaScript or TypeScript. */
export const SHIPPED = join(HERE, '../dist')

/** Contestant → the code of its page. All is read now: whoever builds meanwhile does not disturb. */
export const bundleTraffic = (contestant, folder = SHIPPED, minify = true) =>
  bundle(
    `import { connect } from './contestants/${contestant}.mjs'
     import { serve } from './traffic.mjs'
     serve(connect)`,
    folder,
    minify,
  )

export const bundleSilence = (contestant, folder = SHIPPED) =>
  bundle(
    `import { connect } from './contestants/${contestant}.mjs'
     import { serve } from './silence.mjs'
     serve(connect)`,
    folder,
    true,
  )

export const bundleStorage = (folder = SHIPPED, minify = true) =>
  bundle(
    `import { serve } from './storage.mjs'
     serve()`,
    folder,
    minify,
  )

async function bundle(contents, folder, minify) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: join(HERE, 'page') },
    alias: {
      holdfast: door(folder, 'index'),
      'holdfast/indexeddb': door(folder, 'indexeddb'),
      'holdfast/reliable': door(folder, 'reliable'),
    },
    bundle: true,
    write: false,
    format: 'iife',
    target: 'es2022',
    minify,
    // A folder elsewhere, such as a copy to experiment with, has no packages of its own.
    nodePaths: [join(HERE, '../node_modules')],
    logLevel: 'error',
  })
  return outputFiles[0].text
}

function door(folder, name) {
  const found = [`${name}.js`, `${name}.ts`].map((file) => resolve(folder, file)).find((path) => existsSync(path))
  if (!found) throw new Error(`${resolve(folder)} has no ${name}.js: run \`npm run build\`, or name another folder`)
  return found
}
