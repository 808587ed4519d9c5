import type { Cursor } from './stream-store.js'

interface Row {
  readonly n: number
  readonly witness: string | undefined
  readonly rejected: Cursor['rejected']
  readonly secret: string
  readonly touchedAt: number
  readonly bytes: number
}

/** The cursors of `memoryStreams`: bounded; the first to be forgotten has been idle longest. */
export interface CursorTable {
  readonly size: number
  /** About how many bytes they take. */
  readonly bytes: number
  /** @param witness the opening of the store that reads: it has not seen what other openings have seen */
  read(user: string, writers: readonly string[], witness: string, now: number): ReadonlyMap<string, Cursor>
  /** A cursor that is behind the stored one, or has another secret, has no effect. */
  write(user: string, writer: string, cursor: Cursor, witness: string, now: number): void
  copy(): CursorTable
}

/** The cost of a row, and of each rejection in it, beside its text, in bytes. */
const OVERHEAD_BYTES = 64

/** @param limits `cursorTtlMs` in milliseconds since a cursor was written last */
export function createCursorTable(
  limits: { readonly cursorTtlMs: number; readonly cursorsMax: number; readonly cursorBytesMax: number },
  // In the order in which they were written last.
  rows = new Map<string, Row>(),
): CursorTable {
  let bytes = [...rows.values()].reduce((sum, row) => sum + row.bytes, 0)

  // A cursor is forgotten as a whole: its repeats are flagged as possible duplicates then. Without its rejections, the
  // rejected messages would count as delivered.
  const expire = (now: number): void => {
    for (const [key, row] of rows) {
      const isWithin = rows.size <= limits.cursorsMax && (bytes <= limits.cursorBytesMax || rows.size === 1)
      if (isWithin && now - row.touchedAt < limits.cursorTtlMs) return
      rows.delete(key)
      bytes -= row.bytes
    }
  }

  return {
    get size() {
      return rows.size
    },
    get bytes() {
      return bytes
    },
    read(user, writers, witness, now) {
      expire(now)
      const found = new Map<string, Cursor>()
      for (const writer of writers) {
        const row = rows.get(keyOf(user, writer))
        if (row) {
          const { n, rejected, secret } = row
          found.set(writer, { n, hasSeenAll: row.witness === witness, rejected, secret })
        }
      }
      return found
    },
    write(user, writer, { n, hasSeenAll, rejected, secret }, witness, now) {
      const key = keyOf(user, writer)
      const old = rows.get(key)
      // The server has compared the secrets in constant time before: only of two that come first at once they differ here.
      if (old && (n < old.n || old.secret !== secret)) return
      rows.delete(key)
      // Most messages are not rejected, and leave the rejections as they were.
      const size = old?.rejected === rejected ? old.bytes : bytesOf(key + secret, rejected)
      rows.set(key, { n, witness: hasSeenAll ? witness : undefined, rejected, secret, touchedAt: now, bytes: size })
      bytes += size - (old?.bytes ?? 0)
      expire(now)
    },
    copy: () => createCursorTable(limits, new Map(rows)),
  }
}

/** A writer has no space in its name. */
const keyOf = (user: string, writer: string): string => `${writer} ${user}`

/** A character of plain text takes one byte, any other two. */
function bytesOf(texts: string, rejected: Cursor['rejected']): number {
  const lengths = rejected.map(([writer, , code, message]) => writer.length + code.length + 2 * message.length)
  return lengths.reduce((sum, length) => sum + length + OVERHEAD_BYTES, texts.length + OVERHEAD_BYTES)
}
