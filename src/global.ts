/** The script tag's global `Holdfast`: the core, the IndexedDB store and the WebSocket class. */
export * from './index.js'
export { indexedDbStore } from './outbox/stores/indexeddb-store.js'
export { HoldfastWebSocket } from './websocket/holdfast-websocket.js'
export type { HoldfastWebSocketOptions } from './websocket/options.js'
