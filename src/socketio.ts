/** The door `holdfast/socketio`: re-exports only. */
export { socketIo } from './dialects/socketio/socketio.js'
export type { SocketIoOptions } from './dialects/socketio/socketio.js'
