export { indexedDbStore, type IndexedDbStoreOptions } from './outbox/indexeddb-store.js'
