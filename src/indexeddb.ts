export { deleteOutbox, indexedDbStore, type IndexedDbStoreOptions } from './outbox/stores/indexeddb-store.js'
export { estimateStorage, persistStorage, type StorageEstimate } from './outbox/stores/storage-manager.js'
