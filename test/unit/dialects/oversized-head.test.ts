import { expect, test } from 'vitest'
import { createSuspects } from '../../../src/dialects/plain/oversized-head.js'
import { Entry } from '../../../src/outbox/delivery.js'
import { EMPTY_QUEUE } from '../../support/fake-host.js'

function setUp() {
  const waiting = [1, 2].map(
    (sequence) => new Entry({ writer: 'w', sequence, event: 'e', body: '', enqueuedAt: 0 }, 0, Infinity),
  )
  const log: string[] = []
  const suspects = createSuspects({
    ...EMPTY_QUEUE,
    peek: () => waiting[0],
    rewind: () => log.push('rewind'),
    fail(entry, { code }) {
      waiting.splice(waiting.indexOf(entry), 1)
      log.push(`fail ${entry.message.sequence} ${code}`)
    },
  })
  return { suspects, waiting, log }
}

test('the head of the queue is found guilty when 1009 has closed two links in a row over it', () => {
  const { suspects, log } = setUp()
  suspects.rewind(1009)
  suspects.rewind(1009)

  expect(log).toEqual(['rewind', 'rewind', 'fail 1 TOO_LARGE'])
})

test('another end between, or another head, acquits it', () => {
  const { suspects, waiting, log } = setUp()
  suspects.rewind(1009)
  suspects.rewind(1006)
  suspects.rewind(1009)
  waiting.shift()
  suspects.rewind(1009)

  expect(log).toEqual(['rewind', 'rewind', 'rewind', 'rewind'])
})
