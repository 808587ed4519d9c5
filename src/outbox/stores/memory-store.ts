import { createWriter, IN_MEMORY, type OutboxStorage } from '../storage.js'
import type { StoredMessage } from '../store.js'

/**
 * Keeps messages in this page's memory: they outlive a lost connection, but not a reload. It never fails, and a message
 * is stored at once: the outbox's queue itself is the store.
 *
 * A client that closes and opens again on the same store finds the messages that it left. Clients may share a store; then
 * the messages that one leaves are handed to the next client that opens.
 *
 * @example createClient({ url, outbox: memoryStore() })
 */
export function memoryStore(): OutboxStorage {
  /** The messages of clients that were closed, each client's in its order. */
  let left: StoredMessage[] = []

  return {
    attach(clock, listener) {
      let writer = ''
      let sequence = 0
      let isOpen = false

      return {
        get writer() {
          return writer
        },
        deadline: Infinity,
        durability: IN_MEMORY,
        open() {
          if (isOpen) return
          isOpen = true
          writer = createWriter(clock)
          sequence = 0
          const found = left
          left = []
          if (found.length) listener.adopted({ messages: found, isOpen: false })
        },
        nextSequence: () => ++sequence,
        append: () => true,
        settle() {},
        remove() {},
        mayHandOver: () => true,
        linkLost() {},
        flush() {},
        elapsed() {},
        async close(entries) {
          isOpen = false
          for (const entry of entries) if (!entry.isRequest) left.push(entry.message)
        },
      }
    },
  }
}
