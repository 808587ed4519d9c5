import type { Plugin } from 'vite'

/** The text that is left of a module of a package, or an error that names the rule that no longer fits. */
export function slim(name: 'partysocket' | 'idb', source: string): string

export function slimPackages(): Plugin
