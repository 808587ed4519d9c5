import { describe, expect, test } from 'vitest'
import { createOversizedMessageDetector } from '../../../src/outbox/oversized.js'
import { makeEntry, setUpOutbox } from '../../support/outbox-stage.js'

const TOO_BIG = 1009
const [first, second] = [makeEntry('w', 1), makeEntry('w', 2)]

describe('where the server acknowledges', () => {
  test('what was in flight at a 1009 goes one at a time, until it is done with', () => {
    const detector = createOversizedMessageDetector(true)
    const searches = [detector.isSearching]
    const culprit = detector.closed(TOO_BIG, 2, first)
    searches.push(detector.isSearching)
    detector.acquit()
    searches.push(detector.isSearching)
    detector.acquit()
    searches.push(detector.isSearching)

    expect(culprit).toBeUndefined()
    expect(searches).toEqual([false, true, true, false])
  })

  test('the one that was alone in flight is the culprit, and the search goes on for the others', () => {
    const detector = createOversizedMessageDetector(true)
    detector.closed(TOO_BIG, 3, first)
    const culprits = [detector.closed(TOO_BIG, 1, first)]
    const searches = [detector.isSearching]
    culprits.push(detector.closed(TOO_BIG, 1, second))
    detector.acquit()
    searches.push(detector.isSearching)

    expect(culprits).toEqual([first, second])
    expect(searches).toEqual([true, false])
  })

  test('another close code blames none', () => {
    const detector = createOversizedMessageDetector(true)

    expect(detector.closed(1006, 1, first)).toBeUndefined()
    expect(detector.isSearching).toBe(false)
  })

  test('none is blamed for a request that was given up in flight', () => {
    const detector = createOversizedMessageDetector(true)

    expect(detector.closed(TOO_BIG, 1, undefined)).toBeUndefined()
  })

  test('is one too many acquitted, the next search is as long as it must be', () => {
    const detector = createOversizedMessageDetector(true)
    detector.acquit()
    detector.closed(TOO_BIG, 2, first)
    detector.acquit()

    expect(detector.isSearching).toBe(true)
  })
})

describe('where only the browser confirms', () => {
  test('the oldest in flight is found when 1009 has closed two links in a row over it', () => {
    const detector = createOversizedMessageDetector(false)

    expect([detector.closed(TOO_BIG, 2, first), detector.closed(TOO_BIG, 2, first)]).toEqual([undefined, first])
    expect(detector.isSearching).toBe(false)
  })

  test.each<[what: string, closeCode: number, oldest: typeof first]>([
    ['another end', 1006, first],
    ['another message', TOO_BIG, second],
  ])('%s between acquits it', (_, closeCode, oldest) => {
    const detector = createOversizedMessageDetector(false)
    const culprits = [
      detector.closed(TOO_BIG, 1, first),
      detector.closed(closeCode, 1, oldest),
      detector.closed(TOO_BIG, 1, first),
    ]

    expect(culprits).toEqual([undefined, undefined, undefined])
  })

  test('a link that never carried it acquits nothing', () => {
    const detector = createOversizedMessageDetector(false)
    detector.closed(TOO_BIG, 1, first)
    detector.closed(1006, 0, undefined)

    expect(detector.closed(TOO_BIG, 1, first)).toBe(first)
  })

  test('none is blamed where nothing was in flight', () => {
    const detector = createOversizedMessageDetector(false)
    detector.closed(TOO_BIG, 0, undefined)

    expect(detector.closed(TOO_BIG, 0, undefined)).toBeUndefined()
  })
})

describe('an outbox', () => {
  test('gives out one at a time after a 1009, fails the culprit, and then goes on as before', () => {
    const { add, transmit, arrive, outbox, failures } = setUpOutbox({ dialect: { acknowledges: true } })
    for (const body of ['a', 'b', 'c', 'd']) add(body)
    transmit(2)
    outbox.rewind(TOO_BIG)
    const sent = [transmit()]
    arrive()
    sent.push(transmit())
    outbox.rewind(TOO_BIG)
    sent.push(transmit())

    expect(sent).toEqual([['a'], ['b'], ['c', 'd']])
    expect(failures()).toEqual(['b TOO_LARGE'])
  })

  test.each([undefined, 0, 1000, 1006])('blames no message for the close code %s', (closeCode) => {
    const { add, transmit, outbox, failures } = setUpOutbox({ dialect: { acknowledges: true } })
    add('a')
    transmit()
    outbox.rewind(closeCode)
    transmit()
    outbox.rewind(closeCode)

    expect(failures()).toEqual([])
    expect(transmit()).toEqual(['a'])
  })

  test('fails the oldest in flight at the second 1009, where only the browser confirms', () => {
    const { add, transmit, outbox, failures } = setUpOutbox()
    add('a')
    add('b')
    transmit()
    outbox.rewind(TOO_BIG)
    const sent = transmit()
    outbox.rewind(TOO_BIG)

    expect(sent).toEqual(['a', 'b'])
    expect(failures()).toEqual(['a TOO_LARGE'])
    expect(transmit()).toEqual(['b'])
  })

  test('fails a message once, though it is both superseded and found too big', () => {
    const { add, transmit, outbox, log, failures } = setUpOutbox()
    add('a', { key: 'k' })
    transmit()
    outbox.rewind(TOO_BIG)
    transmit()
    add('b', { key: 'k' })
    outbox.rewind(TOO_BIG)

    expect(log.filter((line) => line.startsWith('failed'))).toEqual(['failed a SUPERSEDED'])
    expect(failures()).toEqual([])
    expect(transmit()).toEqual(['b'])
  })

  test('blames nothing for a request that was given up in flight', async () => {
    const { add, ask, transmit, outbox, requests, failures, waiting } = setUpOutbox({
      dialect: { acknowledges: true },
    })
    const { request } = ask('a')
    transmit()
    requests.reply(request.id, { data: 1 })
    add('b')
    outbox.rewind(TOO_BIG)

    expect(failures()).toEqual([])
    expect(waiting()).toEqual(['b'])
  })
})
