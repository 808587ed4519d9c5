/** The script tag's global `Holdfast`: the core and the IndexedDB store. */
export * from './index.js'
export { indexedDbStore } from './outbox/indexeddb-store.js'
