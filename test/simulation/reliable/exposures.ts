import type { OutboxStore } from '../../../src/outbox/store.js'
import { messageId } from '../../../src/protocol/writer-id.js'
import type { Link } from './wire.js'

/** The books of which connections a message was exposed to: those of pages that had it while they were connected. */
export interface Exposures {
  /** The page of the link begins to send on it. */
  connected(link: Link): void
  /** The page has the message from now on: it was told to send it. */
  took(page: string, id: string): void
  /** The store of the page, which may hand over messages of others. */
  watch(page: string, store: OutboxStore): OutboxStore
  /** Whether the store of the page has yet to write or strike a note, so that messages may have to wait for it. */
  isNoting(page: string): boolean
  /** Whether the page has found it in its store, and nothing but this link can have carried it. */
  isUnsent(link: Link, id: string): boolean
}

export function createExposures(): Exposures {
  /** Page → the link on which it sends. */
  const links = new Map<string, Link>()
  /** Page → its messages. */
  const held = new Map<string, Set<string>>()
  const exposed = new Map<string, Set<number>>()
  const found = new Set<string>()
  /** Writers whose last note the store has failed to write: what a page that ended had stored meanwhile has none. */
  const unnoted = new Set<string>()
  const noting = new Set<string>()

  function expose(id: string, link: Link): void {
    exposed.set(id, (exposed.get(id) ?? new Set()).add(link.id))
  }

  function took(page: string, id: string): void {
    held.set(page, (held.get(page) ?? new Set()).add(id))
    const link = links.get(page)
    if (link?.isClientThere) expose(id, link)
  }

  return {
    connected(link) {
      links.set(link.page, link)
      for (const id of held.get(link.page) ?? []) expose(id, link)
    },
    took,
    watch: (page, { open, commit, close }) => ({
      close,
      async commit(batch) {
        const noted = batch.unsent?.map(({ writer }) => writer) ?? []
        if (noted.length) noting.add(page)
        try {
          await commit(batch)
          if (noted.length) noting.delete(page)
          for (const writer of noted) unnoted.delete(writer)
        } catch (error) {
          for (const writer of noted) unnoted.add(writer)
          throw error
        }
      },
      open: (writer, adopt, ...listeners) =>
        open(
          writer,
          (messages, unsentFrom) => {
            for (const { writer: by, sequence } of messages) {
              const id = messageId(by, sequence)
              if (!unnoted.has(by)) found.add(`${page} ${id}`)
              took(page, id)
            }
            adopt(messages, unsentFrom)
          },
          ...listeners,
        ),
    }),
    isNoting: (page) => noting.has(page),
    isUnsent(link, id) {
      const others = [...(exposed.get(id) ?? [])].filter((one) => one !== link.id)
      return found.has(`${link.page} ${id}`) && !others.length
    },
  }
}
