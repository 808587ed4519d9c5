/** The door `holdfast/reliable`: re-exports only. */
export { createClient } from './client/reliable-client.js'
export type { Client, CloseOptions, LifecycleEvents } from './client/api.js'
export type { ClientOptions } from './client/options.js'
export type { ClientState } from './client/snapshot.js'
export { reliable } from './dialects/reliable/reliable.js'
export type { ReliableOptions } from './dialects/reliable/reliable.js'
