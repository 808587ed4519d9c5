/** How many names are remembered. */
const NAMES_MAX = 10_000

/** For how many names advice is given: clients choose them. */
const ADVICE_MAX = 100

/** How many names an advice lists. */
const LISTED_MAX = 10

/** The events and requests that a handler was ever bound to, in any session of a server. */
export class BoundNames {
  readonly #names = new Set<string>()
  readonly #advised = new Set<string>()

  add(name: string): void {
    if (this.#names.size < NAMES_MAX) this.#names.add(name)
  }

  /** What to print of a name without a handler, once; undefined where another session handles it, or may have. */
  adviceFor(name: string): string | undefined {
    if (this.#names.has(name) || this.#names.size >= NAMES_MAX) return undefined
    if (this.#advised.has(name) || this.#advised.size >= ADVICE_MAX) return undefined
    this.#advised.add(name)
    const others = this.#names.size - LISTED_MAX
    const listed = [...this.#names].slice(0, LISTED_MAX).map(quote).join(', ')
    const known = listed
      ? `handled are ${listed}${others > 0 ? ` and ${others} more` : ''}`
      : 'no handler was bound yet'
    return `no session has ever had a handler of ${quote(name)}; ${known}`
  }
}

/** Names come from outside too: in JSON no character of them moves a cursor. */
const quote = (name: string): string => JSON.stringify(name.slice(0, 80))
