import { readFileSync, rmSync } from 'node:fs'
import { declarationsIn, reachableFrom } from './declarations.mjs'

/**
 * tsc declares every source. Consumers reach only what the doors lead to: the rest would weigh down the package, and
 * names types of packages that a consumer need not have.
 */
const { exports } = JSON.parse(readFileSync('package.json', 'utf8'))
const reached = reachableFrom(Object.values(exports).flatMap(({ types }) => types ?? []))
for (const path of declarationsIn('dist')) if (!reached.has(path)) rmSync(path)
