import type { OutboxStore, StoredMessage } from '../store.js'

/**
 * Keeps messages in this page's memory: they outlive a lost connection, but not a reload. It never fails, and answers
 * at once.
 *
 * A client that closes and opens again on the same store finds what it left. Clients may share a store; then what they
 * leave is handed out by the first `open` after all of them have closed.
 *
 * @example createClient({ url, outbox: memoryStore() })
 */
export function memoryStore(): OutboxStore {
  /** Each writer's messages, by ascending sequence; the writers in the order of their first message. */
  const logs = new Map<string, StoredMessage[]>()
  const owned = new Set<string>()
  let openCount = 0

  return {
    open(writer, adopt) {
      openCount++
      owned.add(writer)
      for (const [author, messages] of logs) {
        if (owned.has(author)) continue
        owned.add(author)
        if (messages.length) adopt([...messages])
      }
    },

    commit({ append, settled, removed }) {
      for (const message of append) {
        const log = logs.get(message.writer)
        if (log) log.push(message)
        else logs.set(message.writer, [message])
      }
      for (const { writer, sequence } of settled) {
        const log = logs.get(writer) ?? []
        const kept = log.findIndex((message) => message.sequence > sequence)
        log.splice(0, kept < 0 ? log.length : kept)
      }
      for (const { writer, sequence } of removed) {
        const log = logs.get(writer) ?? []
        const index = log.findIndex((message) => message.sequence === sequence)
        if (index >= 0) log.splice(index, 1)
      }
    },

    close() {
      if (openCount && --openCount) return
      owned.clear()
      for (const [writer, { length }] of logs) if (!length) logs.delete(writer)
    },
  }
}
