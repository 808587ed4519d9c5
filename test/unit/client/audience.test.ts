import { expect, test } from 'vitest'
import { createAudience } from '../../../src/client/audience.js'

test('knows an event that has a listener, and one that is not waited for', () => {
  const audience = createAudience((event) => (event === 'bound' ? 1 : 0))
  audience.forgo('had')

  expect(['bound', 'had', 'new'].map(audience.isKnown)).toEqual([true, true, false])
})

test('remembers 10,000 events and no more', () => {
  const audience = createAudience((event) => (event === 'bound' ? 1 : 0))
  for (let index = 0; index < 10_000; index++) audience.forgo(`event ${index}`)
  const before = audience.isKnown('event 0')
  audience.forgo('one more')

  expect([before, audience.isKnown('event 0'), audience.isKnown('one more')]).toEqual([true, false, true])
  expect(audience.isKnown('bound')).toBe(true)
})
