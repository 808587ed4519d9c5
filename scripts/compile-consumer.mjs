import { join } from 'node:path'
import typescript from 'typescript'
import typescript54 from 'typescript-5.4'
import typescript59 from 'typescript-5.9'

/** The oldest TypeScript that can read the declarations, the last of version 5, and the project's own. */
export const COMPILERS = [typescript54, typescript59, typescript]

/**
 * Compiles the files of a consumer's project, and our declarations as it finds them, strictly.
 *
 * Only these are checked: errors in the declarations of Node, React and the browser are not ours to mend, and to look
 * for them would take most of the time.
 *
 * @param {typeof import('typescript')} ts
 * @param {{ project: string, ours: string, files: string[], types: string[], moduleResolution: 'Node10' | 'Bundler' | 'Node16' | 'NodeNext' }} consumer
 *   `ours` is the folder in which the package is installed
 * @returns {string[]} what is wrong, with its place
 */
export function compileConsumer(ts, { project, ours, files, types, moduleResolution }) {
  const options = {
    module: ts.ModuleKind[moduleResolution] ?? ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind[moduleResolution],
    target: ts.ScriptTarget.ES2022,
    jsx: ts.JsxEmit.ReactJSX,
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    types,
    // Version 6 calls Node10 deprecated; older ones do not know this value.
    ...(moduleResolution === 'Node10' && ts.versionMajorMinor >= '6' && { ignoreDeprecations: '6.0' }),
  }
  const rootNames = files.map((name) => slashed(join(project, name)))
  const program = ts.createProgram({ rootNames, options, host: hostIn(ts, project, options) })
  const declarations = program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(slashed(ours)))
  if (declarations.length === 0) return [`Nothing of ${ours} was imported`]
  const checked = program
    .getSourceFiles()
    .filter((file) => rootNames.includes(file.fileName) || declarations.includes(file))
  const found = [
    ...program.getOptionsDiagnostics(),
    ...program.getGlobalDiagnostics(),
    ...checked.flatMap((file) => [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]),
  ]
  return found.map((one) =>
    ts.formatDiagnostic(one, {
      ...ts.sys,
      getCanonicalFileName: String,
      getCurrentDirectory: () => project,
      getNewLine: () => '',
    }),
  )
}

/** The compiler's form of a path, also on Windows. */
const slashed = (path) => path.replaceAll('\\', '/')

const libraries = new Map()

/** The compiler's own libraries are parsed once for all programs: they are most of what there is to parse. */
function hostIn(ts, project, options) {
  const host = ts.createCompilerHost(options)
  const folder = host.getDefaultLibLocation()
  const { getSourceFile } = host
  host.getCurrentDirectory = () => project
  host.getSourceFile = (path, ...rest) => {
    if (!path.startsWith(folder)) return getSourceFile(path, ...rest)
    if (!libraries.has(path)) libraries.set(path, getSourceFile(path, ...rest))
    return libraries.get(path)
  }
  return host
}
