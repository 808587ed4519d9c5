import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** Prints for each file that a page loads by itself the attribute by which a browser knows its file. Source: W3C, Subresource Integrity. */
for (const name of ['holdfast.global.min.js', 'holdfast.plain.global.min.js', 'holdfast.esm.min.js']) {
  const file = readFileSync(new URL(`../dist/${name}`, import.meta.url))
  console.log(`${name}: integrity="sha384-${createHash('sha384').update(file).digest('base64')}"`)
}
