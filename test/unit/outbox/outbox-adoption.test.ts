import { describe, expect, test } from 'vitest'
import { createFakeStore, stored } from '../../support/fake-store.js'
import { setUpOutbox } from '../../support/outbox-stage.js'

describe('adoption', () => {
  test('puts what others left before our own', async () => {
    const store = createFakeStore({ isAsync: true })
    const { add, settle, transmit } = setUpOutbox({ store })
    store.leave(stored('x', 1), stored('x', 2))
    store.leave(stored('y', 1))
    add('mine')
    await settle()

    expect(transmit()).toEqual(['x1', 'x2', 'y1', 'mine'])
  })

  test('puts what others leave later behind our own, and says that it is there', async () => {
    let answers = 0
    const store = createFakeStore({ isAsync: true })
    const { add, settle, transmit } = setUpOutbox({ store, progressed: () => void answers++ })
    add('a')
    add('b')
    await settle()
    transmit(1)
    const before = answers

    store.adoptLate(stored('z', 1))

    expect(answers).toBeGreaterThan(before)
    expect(transmit()).toEqual(['b', 'z1'])
  })

  test('keeps the ids that the messages had', async () => {
    const { store, outbox } = setUpOutbox()
    store.leave(stored('x', 7))
    outbox.open()

    expect(outbox.list()).toMatchObject([{ id: 'x:7', status: 'stored', event: 'm' }])
    expect(outbox.pending).toBe(1)
  })

  test('lets the store forget adopted messages by their own writer', async () => {
    const { store, add, transmit, arrive, kept } = setUpOutbox()
    store.leave(stored('x', 1), stored('x', 2))
    store.leave(stored('y', 5))
    add('a')
    transmit()

    arrive(2)

    expect(kept()).toEqual(['y5', 'a'])
    arrive()
    expect(store.kept).toEqual([])
  })

  test('is not listened to any more after close', async () => {
    const { store, outbox } = setUpOutbox()
    outbox.open()
    await outbox.close()

    store.adoptLate(stored('z', 1))

    expect(outbox.pending).toBe(0)
  })
})
