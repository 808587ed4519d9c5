import { rmSync } from 'node:fs'

/** Removes the folders that are named, or else everything that the scripts make. */
const named = process.argv.slice(2)
for (const folder of named.length > 0 ? named : ['dist', 'coverage', 'test-results']) {
  rmSync(folder, { recursive: true, force: true })
}
