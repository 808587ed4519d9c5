/** Lets things pass one by one, or makes them wait in line while something else must be settled first. */
export interface Turnstile<Item> {
  /** Now, or when the turnstile is open and all before it have passed. */
  enter(item: Item): void
  /** Whatever enters from now on waits. */
  close(): void
  /** Lets those in line pass, until one of them closes it again. */
  open(): void
  /** Forgets who waits. */
  clear(): void
}

export function createTurnstile<Item>(pass: (item: Item) => void): Turnstile<Item> {
  let line: Item[] = []
  let isClosed = false

  return {
    enter(item) {
      if (isClosed || line.length) line.push(item)
      else pass(item)
    },
    close() {
      isClosed = true
    },
    open() {
      isClosed = false
      while (line.length && !isClosed) {
        // Closed again, it may have been opened again meanwhile: each takes from the same line.
        const [next] = line.splice(0, 1) as [Item]
        pass(next)
      }
    },
    clear() {
      line = []
    },
  }
}
