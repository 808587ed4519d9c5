import type { OutboxStore, StoredMessage } from './store.js'

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
  const logs = new Map<string, Log>()
  const owned = new Set<string>()
  let openCount = 0

  const logOf = (writer: string): Log => {
    let log = logs.get(writer)
    if (!log) logs.set(writer, (log = { messages: [], start: 0 }))
    return log
  }

  return {
    open(writer, adopt) {
      const abandoned = [...logs].filter(([author, { messages }]) => messages.length > 0 && !owned.has(author))
      openCount++
      owned.add(writer)
      for (const [author] of abandoned) owned.add(author)
      for (const messages of abandoned.map(([, log]) => log.messages.slice(log.start)).sort(byAge)) adopt(messages)
    },

    commit({ append, settled, removed }) {
      for (const message of append) logOf(message.writer).messages.push(message)
      for (const { writer, sequence } of settled) settle(logOf(writer), sequence)
      for (const { writer, sequence } of removed) remove(logOf(writer), sequence)
    },

    close() {
      openCount = Math.max(0, openCount - 1)
      if (openCount > 0) return
      owned.clear()
      for (const [writer, { messages }] of logs) if (messages.length === 0) logs.delete(writer)
    },
  }
}

/** One writer's messages, by ascending sequence. Those before `start` are forgotten, and cut off in due course. */
interface Log {
  messages: StoredMessage[]
  start: number
}

function settle(log: Log, sequence: number): void {
  log.start = firstAfter(log, sequence)
  // Cutting moves all that stays: done only when more goes than stays, it costs each message a constant.
  if (log.start * 2 <= log.messages.length) return
  log.messages.splice(0, log.start)
  log.start = 0
}

function remove(log: Log, sequence: number): void {
  const index = firstAfter(log, sequence - 1)
  if (log.messages[index]?.sequence === sequence) log.messages.splice(index, 1)
}

/** The index of the first message that comes after `sequence`. */
function firstAfter({ messages, start }: Log, sequence: number): number {
  let low = start
  let high = messages.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((messages[middle]?.sequence ?? 0) <= sequence) low = middle + 1
    else high = middle
  }
  return low
}

function byAge([first]: StoredMessage[], [second]: StoredMessage[]): number {
  return (first?.enqueuedAt ?? 0) - (second?.enqueuedAt ?? 0)
}
