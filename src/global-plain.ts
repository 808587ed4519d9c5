/** The small script tag's global `Holdfast`: a client of the plain dialect that keeps messages in memory. */
export { createClient } from './client/client.js'
export { plain } from './dialects/plain/plain.js'
export { memoryStore } from './outbox/stores/memory-store.js'
