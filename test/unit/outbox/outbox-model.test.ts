import * as fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { createFakeStore } from '../../support/fake-store.js'
import { setUpOutbox } from '../../support/outbox-stage.js'

// Many runs, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 })

describe('against a model', () => {
  interface Model {
    queue: { body: string; isSent: boolean }[]
    failed: string[]
    delivered: string[]
  }
  interface Real {
    system: ReturnType<typeof setUpOutbox>
    bodies: number
  }
  const MAX = 5

  class Add implements fc.AsyncCommand<Model, Real> {
    check = () => true
    async run(model: Model, real: Real): Promise<void> {
      const { system } = real
      const body = `m${++real.bodies}`
      if (model.queue.length >= MAX) {
        const oldest = model.queue.findIndex(({ isSent }) => !isSent)
        if (oldest < 0) model.failed.push(body)
        else model.failed.push(...model.queue.splice(oldest, 1).map((gone) => gone.body))
      }
      if (!model.failed.includes(body)) model.queue.push({ body, isSent: false })

      system.add(body)
      await compare(model, system)
    }
    toString = () => 'add'
  }
  class Transmit implements fc.AsyncCommand<Model, Real> {
    constructor(readonly count: number) {}
    check = () => true
    async run(model: Model, { system }: Real): Promise<void> {
      const next = model.queue.filter(({ isSent }) => !isSent).slice(0, this.count)
      for (const message of next) message.isSent = true

      expect(system.transmit(this.count)).toEqual(next.map(({ body }) => body))
      await compare(model, system)
    }
    toString = () => `transmit ${this.count}`
  }
  class Arrive implements fc.AsyncCommand<Model, Real> {
    constructor(readonly count: number) {}
    check = () => true
    async run(model: Model, { system }: Real): Promise<void> {
      const sent = model.queue.filter(({ isSent }) => isSent).slice(0, this.count)
      model.queue.splice(0, sent.length)
      model.delivered.push(...sent.map(({ body }) => body))

      system.arrive(this.count)
      await compare(model, system)
    }
    toString = () => `arrive ${this.count}`
  }
  class Rewind implements fc.AsyncCommand<Model, Real> {
    check = () => true
    async run(model: Model, { system }: Real): Promise<void> {
      for (const message of model.queue) message.isSent = false

      system.outbox.rewind()
      await compare(model, system)
    }
    toString = () => 'rewind'
  }
  class Remove implements fc.AsyncCommand<Model, Real> {
    constructor(readonly index: number) {}
    check = (model: Readonly<Model>) => model.queue.length > 0
    async run(model: Model, { system }: Real): Promise<void> {
      const index = this.index % model.queue.length
      const { isSent } = model.queue[index]!
      const { id } = system.outbox.list()[index]!
      if (!isSent) model.failed.push(...model.queue.splice(index, 1).map(({ body }) => body))

      expect(system.outbox.remove(id)).toBe(!isSent)
      await compare(model, system)
    }
    toString = () => `remove ${this.index}`
  }
  class Reopen implements fc.AsyncCommand<Model, Real> {
    check = () => true
    async run(model: Model, { system }: Real): Promise<void> {
      for (const message of model.queue) message.isSent = false
      await system.outbox.close()

      system.outbox.open()
      await compare(model, system)
    }
    toString = () => 'reopen'
  }

  async function compare(model: Model, system: Real['system']): Promise<void> {
    await system.settle()
    expect(system.waiting()).toEqual(model.queue.map(({ body }) => body))
    expect(system.outbox.pending).toBe(model.queue.length)
    expect(system.outbox.inFlight).toBe(model.queue.filter(({ isSent }) => isSent).length)
    expect(system.kept()).toEqual(model.queue.map(({ body }) => body))
    const told = (what: string): string[] =>
      system.log.filter((line) => line.startsWith(what)).map((line) => line.split(' ')[1] ?? '')
    expect(told('failed')).toEqual(model.failed)
    expect(told('delivered')).toEqual(model.delivered)
    expect(system.reports).toEqual([])
  }

  const commands = fc.commands(
    [
      fc.constant(new Add()),
      fc.constant(new Add()),
      fc.integer({ min: 1, max: 4 }).map((count) => new Transmit(count)),
      fc.integer({ min: 1, max: 4 }).map((count) => new Arrive(count)),
      fc.constant(new Rewind()),
      fc.nat(9).map((index) => new Remove(index)),
      fc.constant(new Reopen()),
    ],
    { maxCommands: 60 },
  )

  test.each([false, true])('behaves as an array does, with a store that answers later: %s', async (isAsync) => {
    await fc.assert(
      fc.asyncProperty(commands, async (steps) => {
        const system = setUpOutbox({
          store: createFakeStore({ isAsync }),
          overflow: 'drop-oldest',
          outboxMax: { messages: MAX, bytes: 1_000 },
        })
        await fc.asyncModelRun(
          () => ({ model: { queue: [], failed: [], delivered: [] }, real: { system, bodies: 0 } }),
          steps,
        )
      }),
      { numRuns: 60 },
    )
  })
})
