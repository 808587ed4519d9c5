import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Fifo } from '../../../src/server/ordering/fifo.js'

test('gives back what was put in, in order, like an array', () => {
  const acts = fc.array(fc.constantFrom('push', 'push', 'shift', 'replaceLast', 'takeOut', 'clear'), { maxLength: 400 })
  fc.assert(
    fc.property(acts, (steps) => {
      const fifo = new Fifo<number>()
      let model: number[] = []
      steps.forEach((step, index) => {
        if (step === 'push') model.push((fifo.push(index), index))
        else if (step === 'shift') expect(fifo.shift()).toBe(model.shift())
        else if (step === 'replaceLast') {
          fifo.replaceLast(-index)
          if (model.length) model[model.length - 1] = -index
        } else if (step === 'takeOut') {
          expect(fifo.takeOut((item) => item % 3 === 0)).toEqual(model.filter((item) => item % 3 === 0))
          model = model.filter((item) => item % 3 !== 0)
        } else if (index % 50 === 0) {
          fifo.clear()
          model = []
        }
        expect([fifo.size, fifo.first, fifo.last]).toEqual([model.length, model[0], model.at(-1)])
      })
      expect([...fifo]).toEqual(model)
    }),
  )
})

test('keeps the order while hundreds come and go', () => {
  const fifo = new Fifo<number>()
  const seen: (number | undefined)[] = []
  for (let item = 0; item < 1_000; item++) {
    fifo.push(item)
    if (item % 3 > 0) seen.push(fifo.shift())
  }
  while (fifo.size) seen.push(fifo.shift())

  expect(seen).toEqual(Array.from({ length: 1_000 }, (_, index) => index))
})

test('finds the first item that is wanted', () => {
  const fifo = new Fifo<number>()
  for (const item of [1, 2, 3, 4]) fifo.push(item)
  fifo.shift()

  expect(fifo.find((item) => item % 2 === 0)).toBe(2)
  expect(fifo.find((item) => item === 1)).toBeUndefined()
})
