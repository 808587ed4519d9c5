import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import ts from 'typescript'

/** The paths of all declarations in a folder and the folders in it. */
export function declarationsIn(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith('.d.ts'))
    .map((name) => join(folder, name))
}

/** What a declaration imports and refers to: paths of other declarations, and names of packages. */
export function importsOf(path) {
  const { importedFiles, typeReferenceDirectives } = ts.preProcessFile(readFileSync(path, 'utf8'))
  const names = [...importedFiles, ...typeReferenceDirectives].map(({ fileName }) => fileName)
  return {
    files: names.filter(isRelative).map((name) => join(dirname(path), name.replace(/\.js$/, '.d.ts'))),
    packages: names.filter((name) => !isRelative(name)),
  }
}

/** The declarations that the doors of the package lead to, the doors with them. */
export function reachableFrom(doors) {
  const reached = new Set(doors.map((door) => join(door)))
  // A set that grows while it is walked is walked to its new end.
  for (const path of reached) importsOf(path).files.forEach((file) => reached.add(file))
  return reached
}

function isRelative(name) {
  return name.startsWith('.')
}
