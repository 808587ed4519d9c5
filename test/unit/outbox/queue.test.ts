import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Entry } from '../../../src/outbox/delivery.js'
import { createQueue, type Queue } from '../../../src/outbox/queue.js'
import { makeEntry } from '../../support/outbox-stage.js'

/** What a queue has to be like, as an array of what is in it. */
interface Model {
  entries: Entry[]
  inFlight: number
  /** The frames' sizes of those in flight. */
  frames: number[]
  expiries: Map<Entry, number>
  gone: Entry[]
}

type Step =
  | { type: 'insert'; key: string | undefined; bytes: number; expiresAt: number; anchor: number | undefined }
  | { type: 'take'; frameBytes: number }
  | { type: 'remove'; index: number }
  | { type: 'removeAgain' | 'rewind' | 'expire' | 'clear' }

const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('insert' as const),
      key: fc.constantFrom(undefined, undefined, '', 'a', 'b'),
      bytes: fc.integer({ min: 0, max: 9 }),
      expiresAt: fc.oneof(fc.constant(Infinity), fc.integer({ min: 0, max: 20 })),
      anchor: fc.option(fc.nat(9), { nil: undefined, freq: 3 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('take' as const), frameBytes: fc.nat(9) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('remove' as const), index: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.constant({ type: 'removeAgain' as const }) },
  { weight: 2, arbitrary: fc.constant({ type: 'rewind' as const }) },
  { weight: 2, arbitrary: fc.constant({ type: 'expire' as const }) },
  { weight: 1, arbitrary: fc.constant({ type: 'clear' as const }) },
)

/** Does the step to both. */
function apply(step: Step, queue: Queue, model: Model, sequence: number): void {
  const waiting = model.entries.slice(model.inFlight)
  switch (step.type) {
    case 'insert': {
      const { key, bytes, expiresAt } = step
      const entry = makeEntry('w', sequence, { bytes, ...(key !== undefined && { key }) })
      const anchor = step.anchor === undefined ? undefined : waiting[step.anchor % Math.max(1, waiting.length)]
      model.entries.splice(anchor ? model.entries.indexOf(anchor) : model.entries.length, 0, entry)
      if (expiresAt !== Infinity) model.expiries.set(entry, expiresAt)
      return queue.insert(entry, expiresAt, anchor)
    }
    case 'take':
      if (waiting.length) {
        model.inFlight++
        model.frames.push(step.frameBytes)
      }
      return queue.take(step.frameBytes)
    case 'remove': {
      const index = step.index % Math.max(1, model.entries.length)
      const entry = model.entries[index]
      if (entry) {
        removeFrom(model, entry)
        queue.remove(entry)
      }
      return
    }
    case 'removeAgain':
      return model.gone.forEach(queue.remove)
    case 'rewind':
      return rewind(queue, model)
    case 'expire': {
      const { soonest } = queue
      if (!soonest) return
      removeFrom(model, soonest.entry)
      return queue.remove(soonest.entry)
    }
    case 'clear':
      model.gone.push(...model.entries)
      Object.assign(model, { entries: [], inFlight: 0, frames: [], expiries: new Map() })
      return queue.clear()
  }
}

function removeFrom(model: Model, entry: Entry): void {
  const index = model.entries.indexOf(entry)
  model.entries.splice(index, 1)
  if (index < model.inFlight) {
    model.frames.splice(index, 1)
    model.inFlight--
  }
  model.expiries.delete(entry)
  model.gone.push(entry)
}

function rewind(queue: Queue, model: Model): void {
  const outdated = model.entries
    .slice(0, model.inFlight)
    .filter((entry, index) => model.entries.slice(index + 1).some(({ key }) => key !== undefined && key === entry.key))
    .map(({ id }) => id)
  model.inFlight = 0
  model.frames = []

  expect(
    queue
      .rewind()
      .map(({ id }) => id)
      .sort(),
  ).toEqual(outdated.sort())
}

function compare(queue: Queue, model: Model): void {
  const { entries, inFlight, frames, expiries } = model
  const waiting = entries.slice(inFlight)
  const forwards: Entry[] = []
  for (let entry = queue.first; entry; entry = entry.after) forwards.push(entry)

  expect(forwards.map(({ id }) => id)).toEqual(entries.map(({ id }) => id))
  expect(forwards.map(({ before }) => before)).toEqual([undefined, ...forwards.slice(0, -1)].slice(0, entries.length))
  expect(forwards.map(({ place }) => place)).toEqual(
    entries.map((_, index) => (index < inFlight ? 'in flight' : 'waiting')),
  )
  expect(queue.size).toBe(entries.length)
  expect(queue.bytes).toBe(sum(entries.map(({ bytes }) => bytes)))
  expect(queue.inFlight).toBe(inFlight)
  expect(queue.bytesInFlight).toBe(sum(frames))
  expect(queue.last).toBe(entries.at(-1))
  expect(queue.next).toBe(waiting[0])
  for (const key of ['', 'a', 'b', 'none']) {
    expect(new Set(queue.withKey(key))).toEqual(new Set(waiting.filter((entry) => entry.key === key)))
  }
  const soonest = Math.min(...waiting.map((entry) => expiries.get(entry) ?? Infinity))
  expect(queue.soonest?.at ?? Infinity).toBe(soonest)
  for (const entry of entries) expect(queue.byId(entry.id)).toBe(entry)
  for (const { id, place } of model.gone) {
    expect(queue.byId(id)).toBeUndefined()
    expect(place).toBe('out')
  }
}

const sum = (numbers: number[]): number => numbers.reduce((total, number) => total + number, 0)

describe('a queue', () => {
  test('behaves as an array does, whatever is done to it', () => {
    fc.assert(
      fc.property(fc.array(stepArbitrary, { maxLength: 60 }), fc.nat(59), (steps, indexedFrom) => {
        const queue = createQueue()
        const model: Model = { entries: [], inFlight: 0, frames: [], expiries: new Map(), gone: [] }
        for (const [index, step] of steps.entries()) {
          apply(step, queue, model, index + 1)
          // The index of ids is made by the first look, which must find everything at any time.
          if (index >= indexedFrom) compare(queue, model)
        }
        compare(queue, model)
      }),
      { numRuns: 300 },
    )
  })

  test('does not expire what is called off, until it was in flight and waits again', () => {
    const queue = createQueue()
    const entry = makeEntry('w', 1)
    queue.insert(entry, 10)
    queue.forgetExpiry(entry)
    const seen = [queue.soonest]
    queue.take(1)
    seen.push(queue.soonest)
    queue.rewind()
    seen.push(queue.soonest)

    expect(seen).toEqual([undefined, undefined, entry.expiry])
    expect(entry.expiry?.at).toBe(10)
  })

  test('takes nothing where nothing waits', () => {
    const queue = createQueue()
    queue.take(5)

    expect([queue.inFlight, queue.bytesInFlight]).toEqual([0, 0])
  })

  test('does not grow slower with its length: 50,000 messages go in and out, by key, id and deadline', () => {
    const queue = createQueue()
    const count = 50_000
    const entries = Array.from({ length: count }, (_, index) => makeEntry('w', index, { key: `k${index}` }))
    entries.forEach((entry, index) => queue.insert(entry, count - index))
    for (const { id, key } of entries) {
      const entry = queue.byId(id)
      if (entry && [...queue.withKey(key ?? '')][0] === entry) queue.remove(entry)
    }

    expect([queue.size, queue.first, queue.soonest]).toEqual([0, undefined, undefined])
  })
})
