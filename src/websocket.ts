/** The door `holdfast/websocket`: re-exports only. */
export { HoldfastWebSocket } from './websocket/holdfast-websocket.js'
export type { HoldfastWebSocketOptions } from './websocket/options.js'
