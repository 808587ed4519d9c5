import { expect, test } from 'vitest'
import { ask } from '../../../src/shared/ask.js'
import type { ListenerError } from '../../../src/shared/errors.js'

test('gives the answer, and reports nothing', () => {
  const errors: ListenerError[] = []

  expect(
    ask(
      'ping',
      () => false,
      (error) => errors.push(error),
    ),
  ).toBe(false)
  expect(errors).toEqual([])
})

test('reports a function that throws by its name, and has no answer', () => {
  const errors: ListenerError[] = []
  const cause = new RangeError('oops')
  const answer = ask(
    'ping',
    () => {
      throw cause
    },
    (error) => errors.push(error),
  )

  expect(answer).toBeUndefined()
  expect(errors).toMatchObject([{ code: 'LISTENER_THREW', message: expect.stringMatching(/"ping".*oops/), cause }])
})
