import type { CoreListener, Notice } from './core-api.js'

/**
 * The moment in which the application is told of a session: what waits does not go out on a new connection before that, and
 * the requests that it makes then go first. Where nobody listens, nothing is held back.
 */
export interface Greeting {
  /** Whether what waits must wait on. */
  isHolding(): boolean
  /** Whether the application is just being told. */
  readonly isTelling: boolean
  /** A connection is being made. */
  begin(): void
  /** Tells the application of anything. */
  tell(notice: Notice): void
}

/** @param fill sends what was held back */
export function createGreeting({ isMeeting, tell }: CoreListener, fill: () => void): Greeting {
  let isDue = false

  const greeting = {
    isTelling: false,
    isHolding: () => greeting.isTelling || (isDue && !!isMeeting?.()),
    begin: () => void (isDue = true),
    tell(notice: Notice) {
      if (notice.type !== 'session') return tell(notice)
      isDue = false // Before, since the listener may begin another connection.
      greeting.isTelling = true
      tell(notice)
      greeting.isTelling = false
      fill()
    },
  }
  return greeting
}
