/**
 * For pages without a bundler, in one file each, as an ES module and as the script tag's global `Holdfast`: the core, the
 * IndexedDB store and the WebSocket class.
 */
export * from './index.js'
export { deleteOutbox, indexedDbStore } from './outbox/stores/indexeddb-store.js'
export { estimateStorage, persistStorage } from './outbox/stores/storage-manager.js'
export { HoldfastWebSocket } from './websocket/holdfast-websocket.js'
export type { HoldfastWebSocketOptions } from './websocket/options.js'
