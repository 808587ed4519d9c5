import assert from 'node:assert/strict'
import type { Host } from '../../src/dialects/dialect.js'
import type { Queue } from '../../src/outbox/queue.js'

/** A queue in which nothing waits. */
export const EMPTY_QUEUE: Queue = {
  writer: '',
  bytes: 0,
  inFlight: 0,
  bytesInFlight: 0,
  heads: () => new Map(),
  peek: () => undefined,
  sent: () => assert.fail('nothing waits that could be sent'),
  settle: () => false,
  finish() {},
  answer() {},
  loseAnswers() {},
  rewind() {},
  fail() {},
}

/** What a dialect is opened with where only what it reads and says matters: `said` is told of each frame. */
export const createFakeHost = (said: (frame: unknown) => void = () => {}): Host => ({
  queue: EMPTY_QUEUE,
  link: () => ({
    send(frame) {
      said(frame)
      return 0
    },
    flushed: () => 0,
    buffered: () => 0,
  }),
  now: () => 0,
  recall: () => undefined,
  keep() {},
})
