/** What the application is to be told, in order. */
export interface NoticeQueue<Notice> {
  /** When `flush` has more to tell: now or never, on any clock. */
  readonly deadline: number
  push(notice: Notice): void
  /**
   * Tells what waits, oldest first. Called while it tells, by a listener that calls back, it leaves the telling to the
   * call that is under way, so that each listener hears everything in order.
   *
   * @returns whether everything is told
   */
  flush(): boolean
  /** Tells nothing of what waits. */
  clear(): void
}

/** How many notices are told in one task: after a mass expiry there may be 100,000. */
const SLICE = 1_000

/** @param page while it is hidden nobody sees it held up, and its next timer may be a minute away */
export function createNoticeQueue<Notice>(
  tell: (notice: Notice) => void,
  page: { readonly isHidden?: boolean | undefined },
): NoticeQueue<Notice> {
  let notices: Notice[] = []
  /** How many of them are told; more than none only while they are being told. */
  let told = 0

  return {
    get deadline() {
      return notices.length && !told ? -Infinity : Infinity
    },
    push: (notice) => void notices.push(notice),
    flush() {
      if (told) return false
      while (told < notices.length && (told < SLICE || page.isHidden)) tell(notices[told++] as Notice)
      notices = told === notices.length ? [] : notices.slice(told)
      told = 0
      return !notices.length
    },
    clear() {
      notices.length = told
    },
  }
}
