import { expect, test } from 'vitest'
import { createDrain } from '../../../src/client/drain.js'

test('waits for nothing before it is asked to', () => {
  const drain = createDrain()
  drain.finish()

  expect(drain.deadline).toBe(Infinity)
})

test('lets all go that wait, once, and has no deadline then', async () => {
  const drain = createDrain()
  const first = drain.wait(10)
  const second = drain.wait(20)
  const { deadline } = drain
  drain.finish()

  expect(deadline).toBe(20)
  expect(await Promise.all([first, second])).toEqual([undefined, undefined])
  expect(drain.deadline).toBe(Infinity)
})
