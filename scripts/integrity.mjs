import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** Prints the attribute by which a browser knows the script tag's file. Source: W3C, Subresource Integrity. */
const file = readFileSync(new URL('../dist/holdfast.global.min.js', import.meta.url))
console.log(`integrity="sha384-${createHash('sha384').update(file).digest('base64')}"`)
