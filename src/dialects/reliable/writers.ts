import { RemoteProtocolError } from '../../shared/errors.js'
import { WRITERS_MAX, type Sequences } from '../../protocol/frames.js'
import { messageId } from '../../protocol/writer-id.js'

/** What a client knows of the writers whose messages it sends: what it sent, and what the server says it has. */
export interface Writers {
  /** The writer of the last message on this connection, which the next one need not name. */
  readonly current: string | undefined
  /** A new connection, or a rewind on the same: where each writer goes on. */
  resume(outbox: Source): Sequences
  /** The server was told that the writer goes on at this sequence. */
  skipped(writer: string, sequence: number): void
  /** Whether the server expects this sequence next, without being told of a leap. */
  isNext(writer: string, sequence: number): boolean
  sent(writer: string, sequence: number): void
  /** @throws {RemoteProtocolError} `BAD_ACK` for something of ours that was never sent */
  acknowledged(cursors: Sequences): void
  /** Up to where the server is done with each writer. */
  readonly cursors: ReadonlyMap<string, number>
  /** Whether these cursors lie below what the server has acknowledged: it has lost its memory. */
  isForgotten(cursors: Sequences): boolean
  forget(): void
}

interface Writer {
  /** The highest sequence that was ever sent, or leapt over. */
  sent: number
  /** What the server expects next on this connection; undefined where it has not been told of the writer. */
  next: number | undefined
  /** Whether the messages were made by this page, so that nobody else can have sent them. */
  isOwn: boolean
}

interface Source {
  /** The writer of the page's own messages. */
  readonly writer: string
  /** The first waiting message of each writer. */
  firstPending(): Map<string, number>
}

export function createWriters(): Writers {
  /** The writer of the page's own messages. */
  let own = ''
  const writers = new Map<string, Writer>()
  const cursors = new Map<string, number>()
  let current: string | undefined

  function get(id: string): Writer {
    let writer = writers.get(id)
    if (!writer) writers.set(id, (writer = { sent: 0, next: undefined, isOwn: id === own }))
    return writer
  }

  return {
    get current() {
      return current
    },
    resume(outbox) {
      current = undefined
      own = outbox.writer
      const firsts = outbox.firstPending()
      const mine = writers.get(own)
      if (mine?.sent && !firsts.has(own)) firsts.set(own, mine.sent + 1)
      for (const writer of writers.values()) writer.next = undefined
      const named = [...firsts].slice(0, WRITERS_MAX)
      for (const [id, sequence] of named) {
        const writer = get(id)
        writer.next = sequence
        // From now on the server may call what lies before it done with, though it never came.
        writer.sent = Math.max(writer.sent, sequence - 1)
      }
      return Object.fromEntries(named)
    },
    isNext: (id, sequence) => writers.get(id)?.next === sequence,
    skipped: (id, sequence) => void (get(id).next = sequence),
    sent(id, sequence) {
      const writer = get(id)
      writer.next = sequence + 1
      writer.sent = Math.max(writer.sent, sequence)
      current = id
    },
    acknowledged(shown) {
      for (const [id, cursor] of Object.entries(shown)) {
        const writer = writers.get(id)
        if (!writer || (writer.isOwn && cursor > writer.sent)) {
          throw new RemoteProtocolError(
            'BAD_ACK',
            `The server acknowledges ${messageId(id, cursor)}, which was never sent`,
          )
        }
        cursors.set(id, cursor)
      }
    },
    cursors,
    isForgotten: (shown) => Object.entries(shown).some(([id, cursor]) => cursor < (cursors.get(id) ?? 0)),
    forget() {
      writers.clear()
      cursors.clear()
    },
  }
}
