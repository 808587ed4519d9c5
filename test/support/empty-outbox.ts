import assert from 'node:assert/strict'
import type { Outgoing } from '../../src/outbox/outbox-api.js'

/** An outbox in which nothing waits. */
export const EMPTY_OUTBOX: Outgoing = {
  writer: '',
  inFlight: 0,
  bytesInFlight: 0,
  awaited: 0,
  firstPending: () => new Map(),
  peek: () => undefined,
  ageOf: () => 0,
  fail: () => assert.fail('nothing waits that could fail'),
}
