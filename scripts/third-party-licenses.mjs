import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The file with the licences of all packages whose code is in dist. package.json and the package check know its name. */
const FILE = 'THIRD-PARTY-LICENSES.txt'

/** A plugin of Rollup that writes FILE: licences ask that they go along with each copy of the code. */
export function thirdPartyLicenses() {
  return {
    name: 'third-party-licenses',
    generateBundle(_, bundle) {
      const modules = Object.values(bundle).flatMap((chunk) => Object.entries(chunk.modules ?? {}))
      const folders = modules.flatMap(([id, { renderedLength }]) => (renderedLength > 0 ? (packageOf(id) ?? []) : []))
      const notices = [...new Set(folders)].sort().map(noticeOf)
      this.emitFile({ type: 'asset', fileName: FILE, source: `${notices.join(`\n\n${'-'.repeat(80)}\n\n`)}\n` })
    },
  }
}

/** The folder of the package that a module is from; undefined for a module of ours. */
function packageOf(id) {
  if (!id.includes('node_modules')) return undefined
  let folder = dirname(id)
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return folder
}

function noticeOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const file = readdirSync(folder).find((entry) => /^licen[cs]e(\.|$)/i.test(entry))
  if (!file) throw new Error(`${name} is in dist, but has no licence file to go along with it`)
  return `${name} ${version} (${license}), in parts\n\n${readFileSync(join(folder, file), 'utf8').trim()}`
}
