import { RemoteProtocolError } from '../../shared/errors.js'
import { WRITERS_MAX, type Sequences } from '../../protocol/frames.js'

/** What a client knows of the writers whose messages it sends: what it sent, and what the server says it has. */
export interface Writers {
  /** The writer of the last message on this connection, which the next one need not name. */
  readonly current: string | undefined
  /** A new connection, or a rewind on the same: where each writer goes on. */
  resume(): Sequences
  /** Whether the server expects this sequence next, without being told of a leap. */
  isNext(writer: string, sequence: number): boolean
  sent(writer: string, sequence: number): void
  /** @throws {RemoteProtocolError} `BAD_ACK` for something of ours that was never sent */
  acknowledged(cursors: Sequences): void
  /** Up to where the server is done with the writer. */
  cursor(writer: string): number
  /** Whether these cursors lie below what the server has acknowledged: it has lost its memory. */
  isForgotten(cursors: Sequences): boolean
  forget(): void
}

interface Writer {
  /** The highest sequence that was ever sent, or leapt over. */
  sent: number
  /** The highest that was acknowledged by the server as it is now. */
  cursor: number
  /** What the server expects next on this connection; undefined where it has not been told of the writer. */
  next: number | undefined
  /** Whether the messages were made by this page, so that nobody else can have sent them. */
  isOwn: boolean
}

interface Source {
  /** The writer of the page's own messages. */
  readonly writer: string
  /** The first waiting message of each writer. */
  heads(): Map<string, number>
}

export function createWriters(queue: Source): Writers {
  const writers = new Map<string, Writer>()
  let current: string | undefined

  function get(id: string): Writer {
    let writer = writers.get(id)
    if (!writer) writers.set(id, (writer = { sent: 0, cursor: 0, next: undefined, isOwn: id === queue.writer }))
    return writer
  }

  return {
    get current() {
      return current
    },
    resume() {
      current = undefined
      const heads = queue.heads()
      const own = writers.get(queue.writer)
      if (own?.sent && !heads.has(queue.writer)) heads.set(queue.writer, own.sent + 1)
      for (const writer of writers.values()) writer.next = undefined
      const named = [...heads].slice(0, WRITERS_MAX)
      for (const [id, sequence] of named) {
        const writer = get(id)
        writer.next = sequence
        // From now on the server may call what lies before it done with, though it never came.
        writer.sent = Math.max(writer.sent, sequence - 1)
      }
      return Object.fromEntries(named)
    },
    isNext: (id, sequence) => writers.get(id)?.next === sequence,
    sent(id, sequence) {
      const writer = get(id)
      writer.next = sequence + 1
      writer.sent = Math.max(writer.sent, sequence)
      current = id
    },
    acknowledged(cursors) {
      for (const [id, cursor] of Object.entries(cursors)) {
        const writer = writers.get(id)
        if (!writer || (writer.isOwn && cursor > writer.sent)) {
          throw new RemoteProtocolError('BAD_ACK', `The server acknowledges ${id}:${cursor}, which was never sent`)
        }
        writer.cursor = cursor
      }
    },
    cursor: (id) => writers.get(id)?.cursor ?? 0,
    isForgotten: (cursors) => Object.entries(cursors).some(([id, cursor]) => cursor < (writers.get(id)?.cursor ?? 0)),
    forget: () => writers.clear(),
  }
}
