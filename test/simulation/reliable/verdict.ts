/** A broken promise. `check` names which, so that shrinking can look for the same one. */
export class Violation extends Error {
  constructor(
    readonly check: string,
    message: string,
  ) {
    super(`${check}: ${message}`)
  }
}

/** What the checkers of one run have found. */
export interface Verdict {
  /** The first promise that was broken. */
  readonly violation: Violation | undefined
  /** What has happened how often: a run that never sees something does not test it. */
  readonly counts: ReadonlyMap<string, number>
  /** Called from within the library, where a throw would be caught: kept until somebody looks. */
  check(isKept: boolean, id: string, message: () => string): void
  count(what: string): void
}

export function createVerdict(): Verdict {
  const counts = new Map<string, number>()
  let violation: Violation | undefined

  return {
    get violation() {
      return violation
    },
    counts,
    check(isKept, id, message) {
      if (!isKept) violation ??= new Violation(id, message())
    },
    count(what) {
      counts.set(what, (counts.get(what) ?? 0) + 1)
    },
  }
}
