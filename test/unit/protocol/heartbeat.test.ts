import * as fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { createLiveness, type Heartbeat } from '../../../src/protocol/heartbeat.js'

// Many runs, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 })

const HEARTBEAT: Heartbeat = { interval: 25_000, timeout: 15_000 }

/** Lets time pass to `until`, calling `elapsed` when it is due, and says what came of it and when. */
function pass(liveness: ReturnType<typeof createLiveness>, until: number): { at: number; verdict: 'ping' | 'dead' }[] {
  const verdicts: { at: number; verdict: 'ping' | 'dead' }[] = []
  while (liveness.deadline <= until) {
    const at = liveness.deadline
    const verdict = liveness.elapsed(at)
    if (verdict) verdicts.push({ at, verdict })
    if (verdict === 'dead') break
  }
  return verdicts
}

describe('createLiveness', () => {
  test('asks once every interval and gives up a timeout after the first question that nobody answers', () => {
    const liveness = createLiveness(HEARTBEAT)
    liveness.start(1_000)

    const verdicts = pass(liveness, 100_000)

    expect(verdicts).toEqual([
      { at: 26_000, verdict: 'ping' },
      { at: 41_000, verdict: 'dead' },
    ])
  })

  test('goes on asking a peer that answers', () => {
    const liveness = createLiveness(HEARTBEAT)
    liveness.start(0)
    const asked: number[] = []
    for (let round = 0; round < 4; round++) {
      const at = liveness.deadline
      asked.push(at)
      liveness.elapsed(at)
      liveness.received(at + 14_999)
    }

    expect(asked).toEqual([25_000, 50_000, 75_000, 100_000])
  })

  test('finds a dead link within interval and timeout of its last frame, whenever that came', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000 }),
        fc.integer({ min: 1, max: 1_000 }),
        fc.array(fc.integer({ min: 0, max: 600 }), { maxLength: 30 }),
        (interval, timeout, gaps) => {
          const liveness = createLiveness({ interval, timeout })
          let now = 0
          liveness.start(now)
          for (const gap of gaps) {
            if (pass(liveness, now + gap).some(({ verdict }) => verdict === 'dead')) return
            now += gap
            liveness.received(now)
          }

          const end = pass(liveness, Infinity).at(-1)

          expect(end?.verdict).toBe('dead')
          expect(end?.at).toBeLessThanOrEqual(now + interval + timeout)
          expect(end?.at).toBeGreaterThanOrEqual(now + Math.min(timeout, interval))
        },
      ),
    )
  })

  test('never declares a link dead whose peer answers each question in time', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000 }),
        fc.integer({ min: 2, max: 1_000 }),
        fc.array(fc.nat(), { minLength: 1, maxLength: 30 }),
        (interval, timeout, delays) => {
          const liveness = createLiveness({ interval, timeout })
          liveness.start(0)
          for (const delay of delays) {
            const [question] = pass(liveness, liveness.deadline)
            expect(question?.verdict).toBe('ping')
            const answerAt = question!.at + (delay % timeout)
            const meanwhile = pass(liveness, answerAt)
            expect(meanwhile.map(({ verdict }) => verdict)).not.toContain('dead')
            liveness.received(answerAt)
          }
        },
      ),
    )
  })

  test('takes any frame for life, and keeps its time', () => {
    const liveness = createLiveness(HEARTBEAT)
    liveness.start(0)
    liveness.elapsed(25_000)

    liveness.received(39_999)

    expect(liveness.elapsed(40_000)).toBeUndefined()
    expect(liveness.receivedAt).toBe(39_999)
  })

  test('asks once more when its own timer was late, then gives up', () => {
    const liveness = createLiveness(HEARTBEAT)
    liveness.start(0)
    liveness.elapsed(25_000)

    const first = liveness.elapsed(3_600_000)
    const deadline = liveness.deadline
    const second = liveness.elapsed(7_200_000)

    expect(first).toBe('ping')
    expect(deadline).toBe(3_615_000)
    expect(second).toBe('dead')
  })

  test('forgives a late timer again after a frame has come', () => {
    const liveness = createLiveness(HEARTBEAT)
    liveness.start(0)
    liveness.elapsed(25_000)
    liveness.elapsed(3_600_000)
    liveness.received(3_600_001)
    liveness.elapsed(3_625_000)

    expect(liveness.elapsed(7_200_000)).toBe('ping')
  })

  test('does not take a timer that is a little late for a sleep', () => {
    const liveness = createLiveness(HEARTBEAT)
    liveness.start(0)
    liveness.elapsed(25_000)

    expect(liveness.elapsed(41_800)).toBe('dead')
  })

  test('judges how late its timer ran by the timeout that is set', () => {
    const liveness = createLiveness({ interval: 400, timeout: 400 })
    liveness.start(0)
    liveness.elapsed(400)

    expect(liveness.elapsed(1_000)).toBe('ping')
  })

  test('has little patience with a probe', () => {
    const liveness = createLiveness(HEARTBEAT)
    liveness.start(0)

    const verdict = liveness.probe(10_000)

    expect(verdict).toBe('ping')
    expect(pass(liveness, 100_000)).toEqual([{ at: 15_000, verdict: 'dead' }])
  })

  test('has no more patience with a probe than with any question', () => {
    const liveness = createLiveness({ interval: 25_000, timeout: 300 })
    liveness.start(0)
    liveness.probe(10_000)

    expect(pass(liveness, 100_000)).toEqual([{ at: 10_300, verdict: 'dead' }])
  })

  test('does not let a probe put off an answer that is already due', () => {
    const liveness = createLiveness(HEARTBEAT)
    liveness.start(0)
    liveness.elapsed(25_000)
    liveness.probe(39_000)

    expect(pass(liveness, 100_000).at(-1)).toEqual({ at: 40_000, verdict: 'dead' })
  })

  test('measures the round trip from the question to its pong, once', () => {
    const liveness = createLiveness(HEARTBEAT)
    liveness.start(0)
    liveness.elapsed(25_000)

    expect(liveness.pong(25_040)).toBe(40)
    expect(liveness.pong(25_050)).toBeUndefined()
  })

  test('measures from the first question that had no answer', () => {
    const liveness = createLiveness(HEARTBEAT)
    liveness.start(0)
    liveness.elapsed(25_000)
    liveness.probe(25_010)

    expect(liveness.pong(25_040)).toBe(40)
  })

  test('does not measure a pong that nobody asked for, nor one of the connection before', () => {
    const liveness = createLiveness(HEARTBEAT)
    liveness.start(0)

    expect(liveness.pong(10)).toBeUndefined()

    liveness.elapsed(25_000)
    liveness.start(30_000)

    expect(liveness.pong(30_010)).toBeUndefined()
  })

  test('starts every connection with a whole interval', () => {
    const liveness = createLiveness(HEARTBEAT)
    liveness.start(0)
    liveness.elapsed(25_000)

    liveness.start(39_000)

    expect(liveness.deadline).toBe(64_000)
  })

  test('is never due where the peer cannot be asked', () => {
    const liveness = createLiveness(null)
    liveness.start(0)

    expect(liveness.deadline).toBe(Infinity)
    expect(liveness.probe(1)).toBeUndefined()
    expect(liveness.elapsed(1e9)).toBeUndefined()
    liveness.received(5)
    expect(liveness.deadline).toBe(Infinity)
    expect(liveness.receivedAt).toBe(5)
  })
})

describe('a peer that pings by itself and cannot be asked', () => {
  const THEIRS = { interval: 25_000, timeout: 20_000 }

  test('is never asked, and given up after its interval and timeout of silence', () => {
    const liveness = createLiveness(null)
    liveness.start(1_000, THEIRS)
    const first = liveness.deadline
    liveness.received(20_000)

    expect(first).toBe(46_000)
    expect(liveness.elapsed(46_000)).toBeUndefined()
    expect(liveness.deadline).toBe(65_000)
    expect(liveness.probe(50_000)).toBeUndefined()
    expect(liveness.deadline).toBe(65_000)
    expect(liveness.elapsed(65_000)).toBe('dead')
  })

  test('gets another chance when our own timer was late, since its frames may wait behind it', () => {
    const liveness = createLiveness(null)
    liveness.start(0, THEIRS)

    const late = liveness.elapsed(3_600_000)
    const deadline = liveness.deadline

    expect(late).toBeUndefined()
    expect(deadline).toBe(3_605_000)
    expect(liveness.elapsed(3_605_000)).toBe('dead')
  })

  test('is never suspected where it says nothing of pings', () => {
    const liveness = createLiveness(null)
    liveness.start(0)

    expect(liveness.deadline).toBe(Infinity)
    expect(liveness.elapsed(10 ** 9)).toBeUndefined()
  })
})
