import { createWindow, type WindowMax } from '../../protocol/window.js'

/** Lets things pass one by one, or makes them wait in line while something else must be settled first. */
export interface Turnstile<Item> {
  /** Now, or when the turnstile is open and all before it have passed; false when the line has no room for it. */
  enter(item: Item): boolean
  /** Whatever enters from now on waits. */
  close(): void
  /** Lets those in line pass, until one of them closes it again. */
  open(): void
  /** Forgets who waits. */
  clear(): void
}

/** @param max how long the line may become; a single item may have more bytes */
export function createTurnstile<Item>(
  pass: (item: Item) => void,
  max: WindowMax,
  bytesOf: (item: Item) => number,
): Turnstile<Item> {
  let room = createWindow(max)
  let line: Item[] = []
  let isClosed = false

  return {
    enter(item) {
      if (!isClosed && !line.length) {
        pass(item)
        return true
      }
      const bytes = bytesOf(item)
      if (!room.fits(bytes)) return false
      room.take(bytes)
      line.push(item)
      return true
    },
    close() {
      isClosed = true
    },
    open() {
      isClosed = false
      while (line.length && !isClosed) {
        // Closed again, it may have been opened again meanwhile: each takes from the same line.
        const [next] = line.splice(0, 1) as [Item]
        room.give(bytesOf(next))
        pass(next)
      }
    },
    clear() {
      line = []
      room = createWindow(max)
    },
  }
}
