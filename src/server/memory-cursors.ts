import type { Cursor } from '../session/server-lane.js'

interface Row {
  readonly n: number
  readonly witness: string | undefined
  readonly rejected: Cursor['rejected']
  readonly touchedAt: number
}

/** The cursors of `memoryStreams`: bounded, the quietest are forgotten first. */
export interface CursorTable {
  readonly size: number
  /** @param witness the life that asks: what another life has seen, this one has not */
  read(user: string, writers: readonly string[], witness: string, now: number): ReadonlyMap<string, Cursor>
  /** A cursor that is behind the one kept has no effect. */
  write(user: string, writer: string, cursor: Cursor, witness: string, now: number): void
  copy(): CursorTable
}

/** @param limits `cursorTtlMs` in milliseconds since a cursor was written last */
export function createCursorTable(
  limits: { readonly cursorTtlMs: number; readonly cursorsMax: number },
  // In the order in which they were written last.
  rows = new Map<string, Row>(),
): CursorTable {
  const expire = (now: number): void => {
    for (const [key, row] of rows) {
      if (rows.size <= limits.cursorsMax && now - row.touchedAt < limits.cursorTtlMs) return
      rows.delete(key)
    }
  }

  return {
    get size() {
      return rows.size
    },
    read(user, writers, witness, now) {
      expire(now)
      const found = new Map<string, Cursor>()
      for (const writer of writers) {
        const row = rows.get(keyOf(user, writer))
        if (row) found.set(writer, { n: row.n, isWitnessed: row.witness === witness, rejected: row.rejected })
      }
      return found
    },
    write(user, writer, { n, isWitnessed, rejected }, witness, now) {
      const key = keyOf(user, writer)
      if (n < (rows.get(key)?.n ?? 0)) return
      rows.delete(key)
      rows.set(key, { n, witness: isWitnessed ? witness : undefined, rejected, touchedAt: now })
      expire(now)
    },
    copy: () => createCursorTable(limits, new Map(rows)),
  }
}

/** A writer has no space in its name. */
const keyOf = (user: string, writer: string): string => `${writer} ${user}`
