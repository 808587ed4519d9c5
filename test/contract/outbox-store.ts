import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  ALL_SENT,
  type MessageReference,
  type OutboxBatch,
  type OutboxStore,
  type StoredMessage,
} from '../../src/outbox/store.js'

/** What an implementation brings to be tested: fresh storage, and pages that use it. */
export interface OutboxHarness {
  page(): OutboxPage
  /** Resolves when nothing more will happen by itself. */
  idle(): Promise<void>
}

export interface OutboxPage {
  readonly store: OutboxStore
  /** Ends the page without warning. */
  crash(): void
}

/** `alone`: messages die with their page, and pages know nothing of each other. */
export type OutboxReach = 'alone' | 'shared'

/** What every `OutboxStore` must do. */
export function describeOutboxStore(name: string, reach: OutboxReach, makeHarness: () => OutboxHarness): void {
  const setUp = () => {
    const harness = makeHarness()
    return { harness, page: follow(harness.page()) }
  }

  describe(`${name} as an outbox store`, () => {
    test('hands over nothing when nothing was left', async () => {
      const { page } = setUp()

      expect(await page.open('a')).toEqual([])
    })

    test('hands a writer to the next after it closed, every field intact and in order', async () => {
      const { page } = setUp()
      const text = message('a', 1, { ttlMs: 5000, key: 'cursor', enqueuedAt: 12.5 })
      const binary = message('a', 2, { body: new Uint8Array([0, 255, 7]) })
      await page.open('a')
      await page.commit({ append: [text] })
      await page.commit({ append: [binary, message('a', 3)] })
      await page.close()

      expect(await page.open('b')).toEqual([[text, binary, message('a', 3)]])
    })

    test('hands over in order what came late, since an earlier commit of it had failed', async () => {
      const { page } = setUp()
      await page.open('a')
      await page.commit({ append: run('a', 3, 4) })
      await page.commit({ append: run('a', 1, 2) })
      await page.close()

      expect(ids(await page.open('b'))).toEqual([['a1', 'a2', 'a3', 'a4']])
    })

    test('hands abandoned writers over one by one, the oldest first', async () => {
      const { page } = setUp()
      await page.open('z')
      await page.commit({ append: [message('z', 1, { enqueuedAt: 100 })] })
      await page.close()
      await page.open('a')
      await page.commit({ append: [message('a', 1, { enqueuedAt: 200 })] })
      await page.close()
      await page.open('m')
      await page.commit({ append: [message('m', 1, { enqueuedAt: 300 })] })
      await page.close()

      expect(ids(await page.open('last'))).toEqual([['z1'], ['a1'], ['m1']])
    })

    test('forgets what was settled, up to and including the sequence', async () => {
      const { page } = setUp()
      await page.open('a')
      await page.commit({ append: run('a', 1, 3) })
      await page.commit({ append: run('a', 4, 6) })
      await page.commit({ settled: [{ writer: 'a', sequence: 4 }] })
      await page.close()

      expect(ids(await page.open('b'))).toEqual([['a5', 'a6']])
    })

    test('forgets what one batch both brings and settles', async () => {
      const { page } = setUp()
      await page.open('a')
      await page.commit({ append: run('a', 1, 3), settled: [ref('a', 2)] })
      await page.commit({ append: run('a', 4, 5), settled: [ref('a', 5)] })
      await page.commit({ append: run('a', 6, 6) })
      await page.close()

      expect(ids(await page.open('b'))).toEqual([['a6']])
    })

    test('lets a batch that follows one that is under way take effect after it', async () => {
      const { page } = setUp()
      await page.open('a')
      await Promise.all([
        page.commit({ append: run('a', 1, 2) }),
        page.commit({ append: run('a', 3, 3), settled: [ref('a', 1)] }),
        page.commit({ append: run('a', 4, 4), settled: [ref('a', 3)] }),
      ])
      await page.close()

      expect(ids(await page.open('b'))).toEqual([['a4']])
    })

    test('never brings back what was settled, even if less is settled later', async () => {
      const { page } = setUp()
      await page.open('a')
      await page.commit({ append: run('a', 1, 6) })
      await page.commit({ settled: [{ writer: 'a', sequence: 4 }] })
      await page.commit({ settled: [{ writer: 'a', sequence: 2 }] })
      await page.close()

      expect(ids(await page.open('b'))).toEqual([['a5', 'a6']])
    })

    test('does not hand over a writer whose messages are all settled', async () => {
      const { page } = setUp()
      await page.open('a')
      await page.commit({ append: run('a', 1, 3) })
      await page.commit({ settled: [{ writer: 'a', sequence: 3 }] })
      await page.close()

      expect(await page.open('b')).toEqual([])
    })

    test('goes on with a writer whose messages were all settled', async () => {
      const { page } = setUp()
      await page.open('a')
      await page.commit({ append: run('a', 1, 3) })
      await page.commit({ settled: [{ writer: 'a', sequence: 3 }] })
      await page.commit({ append: run('a', 4, 5) })
      await page.close()

      expect(ids(await page.open('b'))).toEqual([['a4', 'a5']])
    })

    test('forgets single messages from the middle', async () => {
      const { page } = setUp()
      await page.open('a')
      await page.commit({ append: run('a', 1, 4) })
      await page.commit({ append: run('a', 5, 6) })
      await page.commit({ removed: [ref('a', 2), ref('a', 5), ref('a', 3)] })
      await page.close()

      expect(ids(await page.open('b'))).toEqual([['a1', 'a4', 'a6']])
    })

    test('settles past messages that were removed', async () => {
      const { page } = setUp()
      await page.open('a')
      await page.commit({ append: run('a', 1, 4) })
      await page.commit({ removed: [ref('a', 4)] })
      await page.commit({ settled: [ref('a', 2)] })
      await page.close()

      expect(ids(await page.open('b'))).toEqual([['a3']])
    })

    test('does not hand over a writer whose messages were all removed', async () => {
      const { page } = setUp()
      await page.open('a')
      await page.commit({ append: run('a', 1, 2) })
      await page.commit({ removed: [ref('a', 1), ref('a', 2)] })
      await page.close()

      expect(await page.open('b')).toEqual([])
    })

    test('takes settling and removing what it does not have as done', async () => {
      const { page } = setUp()
      await page.open('a')
      await page.commit({ append: run('a', 1, 2) })
      await page.commit({ settled: [ref('a', 1), ref('x', 9)], removed: [ref('a', 1), ref('a', 7), ref('y', 1)] })
      await page.close()

      expect(ids(await page.open('b'))).toEqual([['a2']])
    })

    test('applies all three lists of one batch, and an empty batch', async () => {
      const { page } = setUp()
      await page.open('a')
      await page.commit({ append: run('a', 1, 4) })
      await page.commit({ append: run('a', 5, 7), settled: [ref('a', 1)], removed: [ref('a', 3), ref('a', 6)] })
      await page.commit({})
      await page.close()

      expect(ids(await page.open('b'))).toEqual([['a2', 'a4', 'a5', 'a7']])
    })

    test('settles and removes what was adopted', async () => {
      const { page } = setUp()
      await page.open('a')
      await page.commit({ append: run('a', 1, 5) })
      await page.close()
      await page.open('b')
      await page.commit({
        append: [message('b', 1, { enqueuedAt: 9_000 })],
        settled: [ref('a', 2)],
        removed: [ref('a', 4)],
      })
      await page.close()

      expect(ids(await page.open('c'))).toEqual([['a3', 'a5'], ['b1']])
    })

    test('hands over again what was adopted and never settled', async () => {
      const { page } = setUp()
      await page.open('a')
      await page.commit({ append: run('a', 1, 2) })
      await page.close()
      await page.open('b')
      await page.close()

      expect(ids(await page.open('c'))).toEqual([['a1', 'a2']])
    })

    test('hands over the note of what was never sent, and none where it was struck or never made', async () => {
      const { page } = setUp()
      const leave = async (writer: string, ...batches: Partial<OutboxBatch>[]): Promise<void> => {
        await page.open(writer)
        for (const batch of batches) await page.commit(batch)
        await page.close()
      }
      await leave('a', { append: run('a', 1, 2) }, { append: run('a', 3, 4), unsent: [ref('a', 3)] })
      await leave('b', { append: run('b', 1, 2), unsent: [ref('b', 1)] }, { unsent: [ref('b', ALL_SENT)] })
      await leave('c', { append: run('c', 1, 1) })
      await leave('d', { append: run('d', 1, 3), unsent: [ref('d', 1)] }, { unsent: [ref('d', 3)] })
      await leave('e', { append: run('e', 1, 3), unsent: [ref('e', 2)] }, { settled: [ref('e', 2)] })
      await page.open('z')

      expect(Object.fromEntries(page.notes)).toEqual({ a: 3, b: undefined, c: undefined, d: 3, e: 2 })
    })

    test('keeps nothing of a writer that left no message but a note', async () => {
      const { page } = setUp()
      await page.open('a')
      await page.commit({ append: run('a', 1, 1), unsent: [ref('a', 1)] })
      await page.commit({ removed: [ref('a', 1)] })
      await page.close()

      expect(await page.open('b')).toEqual([])
      await page.close()
      expect(await page.open('c')).toEqual([])
    })

    test('may be closed twice, and before it was ever opened', async () => {
      const { page } = setUp()
      await page.close()
      await page.open('a')
      await page.commit({ append: run('a', 1, 1) })
      await page.close()
      await page.close()

      expect(ids(await page.open('b'))).toEqual([['a1']])
    })

    test('keeps a batch of thousands in order', async () => {
      const { page } = setUp()
      await page.open('a')
      await page.commit({ append: run('a', 1, 2500) })
      await page.commit({ settled: [ref('a', 1200)], removed: [ref('a', 2500)] })
      await page.close()

      expect((await page.open('b')).flat().map(({ sequence }) => sequence)).toEqual(
        Array.from({ length: 1299 }, (_, index) => 1201 + index),
      )
    })

    test('loses nothing, repeats nothing and gives nothing to two pages, whatever the order of events', async () => {
      const pageCount = reach === 'shared' ? 3 : 1
      await fc.assert(
        fc.asyncProperty(fc.array(stepArbitrary(pageCount, reach), { maxLength: 40 }), async (steps) => {
          await simulate(makeHarness(), pageCount, steps)
        }),
        { numRuns: 80 },
      )
    })

    if (reach === 'alone') return

    test('does not hand over the messages of a writer that lives', async () => {
      const { harness, page } = setUp()
      const other = follow(harness.page())
      await page.open('a')
      await page.commit({ append: run('a', 1, 2) })

      expect(await other.open('b')).toEqual([])
      await harness.idle()
      expect(other.adopted).toEqual([])
    })

    test.each(['close', 'crash'] as const)('hands over at once what a page leaves by a %s', async (end) => {
      const { harness, page } = setUp()
      const other = follow(harness.page())
      await page.open('a')
      await other.open('b')
      await page.commit({ append: run('a', 1, 3), settled: [ref('a', 1)] })
      await page[end]()

      expect(ids([await other.nextAdopted()])).toEqual([['a2', 'a3']])
    })

    test('hands over what a page leaves that opened later', async () => {
      const { harness, page } = setUp()
      const later = follow(harness.page())
      await page.open('a')
      await later.open('b')
      await later.commit({ append: run('b', 1, 1) })
      later.crash()

      expect(ids([await page.nextAdopted()])).toEqual([['b1']])
    })

    test('hands a dead page’s messages to exactly one of those that live', async () => {
      const { harness, page } = setUp()
      const others = [follow(harness.page()), follow(harness.page()), follow(harness.page())]
      await page.open('a')
      for (const [index, other] of others.entries()) await other.open(`b${index}`)
      await page.commit({ append: run('a', 1, 3) })
      page.crash()
      await harness.idle()

      expect(ids(others.flatMap(({ adopted }) => adopted))).toEqual([['a1', 'a2', 'a3']])
    })

    test('hands leftovers to exactly one of pages that open together', async () => {
      const { harness, page } = setUp()
      await page.open('a')
      await page.commit({ append: run('a', 1, 3) })
      page.crash()
      const others = [follow(harness.page()), follow(harness.page()), follow(harness.page())]
      await Promise.all(others.map((other, index) => other.open(`b${index}`)))
      await harness.idle()

      expect(ids(others.flatMap(({ adopted }) => adopted))).toEqual([['a1', 'a2', 'a3']])
    })

    test('hands adopted messages on when the page that adopted them dies, less what it settled', async () => {
      const { harness, page } = setUp()
      const [second, third] = [follow(harness.page()), follow(harness.page())]
      await page.open('a')
      await second.open('b')
      await page.commit({ append: run('a', 1, 3) })
      page.crash()
      await second.nextAdopted()
      await third.open('c')
      await second.commit({ append: run('b', 1, 1), settled: [ref('a', 2)] })
      second.crash()
      await harness.idle()

      expect(new Set(ids(third.adopted))).toEqual(new Set([['a3'], ['b1']]))
    })

    test('hands nothing to a page that has closed', async () => {
      const { harness, page } = setUp()
      const other = follow(harness.page())
      await page.open('a')
      await other.open('b')
      await page.commit({ append: run('a', 1, 1) })
      await other.close()
      page.crash()
      await harness.idle()

      expect(other.adopted).toEqual([])
    })

    test('lets go at the call of close, without being given time', async () => {
      const { harness, page } = setUp()
      const other = follow(harness.page())
      await page.open('a')
      await other.open('b')
      await page.commit({ append: run('a', 1, 1) })
      void page.close()

      expect(ids([await other.nextAdopted()])).toEqual([['a1']])
    })
  })
}

/** A page's store, with what it has adopted. */
function follow({ store, crash }: OutboxPage) {
  const adopted: StoredMessage[][] = []
  /** Writer → from where on it has sent nothing, of the last opening. */
  const notes = new Map<string, number | undefined>()
  let announce: (() => void) | undefined
  return {
    adopted,
    notes,
    crash,
    async open(writer: string): Promise<StoredMessage[][]> {
      const before = adopted.length
      notes.clear()
      await store.open(writer, (messages, unsentFrom) => {
        adopted.push(messages)
        notes.set(messages[0]?.writer ?? '', unsentFrom)
        announce?.()
      })
      return adopted.slice(before)
    },
    commit: async (batch: Partial<OutboxBatch>) => store.commit({ append: [], settled: [], removed: [], ...batch }),
    close: async () => store.close(),
    /** The first that were adopted, now or when it happens. */
    async nextAdopted(): Promise<StoredMessage[]> {
      if (adopted.length === 0) await new Promise<void>((resolve) => (announce = resolve))
      return adopted[0] ?? []
    },
  }
}

interface Step {
  readonly page: number
  readonly action: 'open' | 'append' | 'settle' | 'remove' | 'close' | 'crash'
  readonly amount: number
  /** Turns of the event loop until the next step; what was begun goes on meanwhile, and after it. */
  readonly turns: number
}

function stepArbitrary(pageCount: number, reach: OutboxReach): fc.Arbitrary<Step> {
  return fc.record({
    page: fc.nat({ max: pageCount - 1 }),
    action: fc.oneof(
      { weight: 3, arbitrary: fc.constant('open' as const) },
      { weight: 6, arbitrary: fc.constant('append' as const) },
      { weight: 3, arbitrary: fc.constantFrom('settle' as const, 'remove' as const) },
      { weight: 2, arbitrary: reach === 'alone' ? fc.constant('close' as const) : fc.constantFrom('close', 'crash') },
    ),
    amount: fc.integer({ min: 1, max: 4 }),
    turns: fc.oneof(fc.constant(0), fc.nat({ max: 30 })),
  })
}

/** A page from its opening to its end. */
interface Life {
  readonly writer: string
  state: 'live' | 'closed' | 'crashed'
  sequence: number
}

/** What is known of one message. Between `storing` and `stored`, or `forgetting` and `forgotten`, either may be true. */
interface Tracked {
  readonly reference: MessageReference
  status: 'storing' | 'stored' | 'forgetting' | 'forgotten'
  owner: Life
}

interface Slot {
  page: OutboxPage
  life: Life | undefined
  work: Promise<void>
}

/** Runs the steps, each page's one after the other, and holds every event against what must be true then. */
async function simulate(harness: OutboxHarness, pageCount: number, steps: readonly Step[]): Promise<void> {
  const tracked = new Map<string, Tracked>()
  const faults: string[] = []
  const newSlot = (): Slot => ({ page: harness.page(), life: undefined, work: Promise.resolve() })
  const slots = Array.from({ length: pageCount }, newSlot)
  let lifeCount = 0

  for (const step of steps) {
    const slot = slots[step.page]
    if (!slot) continue
    if (step.action === 'crash') {
      if (slot.life) slot.life.state = 'crashed'
      slot.page.crash()
      slots[step.page] = newSlot()
    } else {
      slot.work = slot.work.then(() => (slots.includes(slot) ? take(slot, step) : undefined))
    }
    await turn(step.turns)
  }
  for (const slot of slots) slot.work = slot.work.then(() => close(slot))
  await Promise.all(slots.map(({ work }) => work))
  checkLeft(await leftIn(slots[0]?.page ?? harness.page()))
  expect(faults).toEqual([])

  async function take(slot: Slot, { action, amount }: Step): Promise<void> {
    const { life } = slot
    if (action === 'open') return life ? undefined : open(slot)
    if (action === 'close') return close(slot)
    if (!life) return undefined
    if (action === 'append') return append(slot.page.store, life, amount)
    const mine = [...tracked.values()].filter(({ owner, status }) => owner === life && status === 'stored')
    const chosen = mine[Math.min(amount, mine.length) - 1]
    if (!chosen) return undefined
    const isGone = ({ reference: { writer, sequence } }: Tracked): boolean =>
      writer === chosen.reference.writer &&
      (action === 'settle' ? sequence <= chosen.reference.sequence : sequence === chosen.reference.sequence)
    return forget(slot.page.store, mine.filter(isGone), action === 'settle' ? 'settled' : 'removed', chosen.reference)
  }

  async function open(slot: Slot): Promise<void> {
    const life: Life = { writer: `w${++lifeCount}.`, state: 'live', sequence: 0 }
    slot.life = life
    await slot.page.store.open(life.writer, (messages) => adopt(life, messages))
  }

  async function append(store: OutboxStore, life: Life, amount: number): Promise<void> {
    const messages = run(life.writer, life.sequence + 1, (life.sequence += amount))
    const entries = messages.map((reference): Tracked => ({ reference, status: 'storing', owner: life }))
    for (const entry of entries) tracked.set(idOf(entry.reference), entry)
    await store.commit({ append: messages, settled: [], removed: [] })
    for (const entry of entries) entry.status = 'stored'
  }

  async function forget(store: OutboxStore, entries: Tracked[], list: 'settled' | 'removed', last: MessageReference) {
    for (const entry of entries) entry.status = 'forgetting'
    await store.commit({ append: [], settled: [], removed: [], [list]: [last] })
    for (const entry of entries) entry.status = 'forgotten'
  }

  function adopt(life: Life, messages: readonly StoredMessage[]): void {
    // A dead page runs no code; here its closures may.
    if (life.state === 'crashed') return
    if (life.state === 'closed') faults.push(`${life.writer} was handed messages after it closed`)
    let previous = 0
    for (const reference of messages) {
      const entry = tracked.get(idOf(reference))
      if (entry?.owner.state === 'live') faults.push(`${life.writer} was handed ${idOf(reference)} of a live page`)
      if (!entry || entry.status === 'forgotten') faults.push(`${life.writer} was handed ${idOf(reference)}, long gone`)
      if (reference.sequence <= previous) faults.push(`${life.writer} was handed ${idOf(reference)} out of order`)
      previous = reference.sequence
      if (entry) entry.owner = life
    }
  }

  function checkLeft(left: Set<string>): void {
    for (const [id, { status }] of tracked) {
      if (status === 'stored' && !left.has(id)) faults.push(`${id} was stored and is lost`)
      if (status === 'forgotten' && left.has(id)) faults.push(`${id} was forgotten and is back`)
    }
  }
}

/** What is done to a page that is closed already must not matter. */
async function close(slot: Slot): Promise<void> {
  if (slot.life?.state === 'live') slot.life.state = 'closed'
  slot.life = undefined
  await slot.page.store.close()
}

async function leftIn({ store }: OutboxPage): Promise<Set<string>> {
  const left = new Set<string>()
  await store.open('heir', (messages) => {
    for (const reference of messages) left.add(idOf(reference))
  })
  await store.close()
  return left
}

/** Lets the event loop turn. */
export async function turn(times: number): Promise<void> {
  for (let count = 0; count < times; count++) await new Promise((resolve) => setImmediate(resolve))
}

const idOf = ({ writer, sequence }: MessageReference): string => writer + sequence

const ids = (lists: readonly (readonly StoredMessage[])[]): string[][] => lists.map((messages) => messages.map(idOf))

const ref = (writer: string, sequence: number): MessageReference => ({ writer, sequence })

export function message(writer: string, sequence: number, rest: Partial<StoredMessage> = {}): StoredMessage {
  return { writer, sequence, event: 'note', body: `{"n":${sequence}}`, enqueuedAt: 1_000 + sequence, ...rest }
}

/** Messages `first` to `last` of `writer`. */
export function run(writer: string, first: number, last: number): StoredMessage[] {
  return Array.from({ length: last - first + 1 }, (_, index) => message(writer, first + index))
}
