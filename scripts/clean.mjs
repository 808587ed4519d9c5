import { readFileSync, rmSync } from 'node:fs'

/** Removes the folders that are named, or else everything that the scripts make. */
const named = process.argv.slice(2)
const { files } = JSON.parse(readFileSync('package.json', 'utf8'))
const made = ['coverage', 'test-results', ...files.filter((name) => !name.includes('.'))]
for (const folder of named.length > 0 ? named : made) {
  rmSync(folder, { recursive: true, force: true })
}
