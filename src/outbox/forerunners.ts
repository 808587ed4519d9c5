import type { Entry } from './delivery.js'
import { createWriter, type StorageClock } from './storage.js'

/** Makes a message of this writer and number. */
export type Make<E> = (writer: string, sequence: number) => E

/** What goes before all that waits: under a writer of its own, since its numbers would not follow on those that wait. */
export interface Forerunners {
  make<E>(make: Make<E>): E
  /** What the next one goes before: the first of those that wait and are none. */
  anchor(next: Entry | undefined): Entry | undefined
}

export function createForerunners(clock: Pick<StorageClock, 'createId'>): Forerunners {
  let writer = ''
  let sequence = 0

  return {
    make(make) {
      writer ||= createWriter(clock)
      return make(writer, ++sequence)
    },
    anchor(next) {
      while (next?.writer === writer) next = next.after
      return next
    },
  }
}
