export { deleteOutbox, indexedDbStore, type IndexedDbStoreOptions } from './outbox/stores/indexeddb-store.js'
