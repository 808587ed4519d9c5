import type { HoldfastError } from '../../shared/errors.js'
import type { Streams } from '../stores/stream-store.js'
import { storeFailed } from './close-reasons.js'
import { whenDone } from './when-done.js'

/**
 * What was sent to rooms or to all since the server started. Sessions of an earlier server that come back later were in no
 * room for it, and must be told: the store says so to those that attach after the first such send, and this server to those
 * that were just attaching.
 */
export class SharedSends {
  readonly #streams: Pick<Streams, 'sentToMany'>
  readonly #report: (error: HoldfastError) => void
  #count = 0
  #roomCount = 0
  #mark: 'none' | 'made' | 'failed' = 'none'

  constructor(streams: Pick<Streams, 'sentToMany'>, report: (error: HoldfastError) => void) {
    this.#streams = streams
    this.#report = report
  }

  /** A moment, for `hasMissed`. */
  get moment(): number {
    return this.#count
  }

  /** How often something was sent to a room. */
  get roomCount(): number {
    return this.#roomCount
  }

  /** Something is about to be sent to all, or to a room. */
  note(isToRoom: boolean): void {
    this.#count++
    if (isToRoom) this.#roomCount++
    if (this.#mark === 'made') return
    this.#mark = 'made'
    whenDone(
      () => this.#streams.sentToMany(),
      () => {},
      (cause) => {
        this.#mark = 'failed'
        this.#report(storeFailed(cause))
      },
    )
  }

  /** Whether the store, when it was asked at that moment, could not know of everything that was sent to many. */
  hasMissed(moment: number): boolean {
    return this.#count !== moment || this.#mark === 'failed'
  }
}
