import * as fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { createLiveness, type Heartbeat, type Liveness, type Traffic } from '../../../src/protocol/heartbeat.js'

// Many runs, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 })

const HEARTBEAT: Heartbeat = { interval: 25_000, timeout: 15_000 }

/** Lets time pass to `until`, calling `elapsed` when it is due, and says what came of it and when. */
function pass(liveness: Liveness, until: number, traffic?: Traffic): { at: number; verdict: 'ping' | 'dead' }[] {
  const verdicts: { at: number; verdict: 'ping' | 'dead' }[] = []
  while (liveness.deadline <= until) {
    const at = liveness.deadline
    const verdict = liveness.elapsed(at, traffic)
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

  test('waits as long as a probe says, and judges by that whether its timer was late', () => {
    const liveness = createLiveness(HEARTBEAT)
    liveness.start(0)
    liveness.probe(10_000, undefined, 800)

    expect(liveness.deadline).toBe(10_800)
    expect(liveness.elapsed(10_901)).toBe('ping')
    expect(pass(liveness, 100_000)).toEqual([{ at: 25_901, verdict: 'dead' }])
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

describe('a slow link', () => {
  /** All that was written has left this process, and nothing tells how far it came. */
  const sent = (written: number, unacknowledged = Infinity): Traffic => ({ written, left: written, unacknowledged })

  test('has as long as 64 kbit/s take for what was sent before the ping', () => {
    const liveness = createLiveness(HEARTBEAT)
    liveness.start(0)

    expect(pass(liveness, 200_000, sent(400_000)).at(-1)).toEqual({ at: 90_000, verdict: 'dead' })
  })

  test('has as long after the page came into view, too', () => {
    const liveness = createLiveness(HEARTBEAT)
    liveness.start(0)
    liveness.probe(1_000, sent(400_000))

    expect(pass(liveness, 200_000, sent(400_000)).at(-1)).toEqual({ at: 56_000, verdict: 'dead' })
  })

  test('has it only for what the peer has not acknowledged', () => {
    const liveness = createLiveness(HEARTBEAT)
    liveness.start(0)

    expect(pass(liveness, 200_000, sent(400_000, 8_000)).at(-1)).toEqual({ at: 41_000, verdict: 'dead' })
  })

  test('has it only for what was sent after the last ping that was answered', () => {
    const liveness = createLiveness(HEARTBEAT)
    liveness.start(0)
    liveness.elapsed(25_000, sent(400_000))
    liveness.received(25_100)
    liveness.pong(25_100)

    expect(pass(liveness, 200_000, sent(408_000)).at(-1)).toEqual({ at: 66_000, verdict: 'dead' })
  })

  test('has it for a mebibyte at most, as more is in no buffer that we do not see', () => {
    const liveness = createLiveness(HEARTBEAT)
    liveness.start(0)

    expect(pass(liveness, 1e6, sent(1e9)).at(-1)).toEqual({ at: 40_000 + 2 ** 20 / 8, verdict: 'dead' })
  })

  test('lives while what stands before the ping leaves the buffer, and no longer', () => {
    const liveness = createLiveness(HEARTBEAT)
    liveness.start(0)
    const traffic = { written: 800, left: 0, unacknowledged: Infinity }
    liveness.elapsed(25_000, traffic)
    const moving = [100, 200, 800].map((left) => liveness.elapsed(liveness.deadline, { ...traffic, left }))
    const afterwards = liveness.elapsed(liveness.deadline, { written: 900, left: 900, unacknowledged: Infinity })

    expect(moving).not.toContain('dead')
    expect(afterwards).toBe('dead')
  })

  test('has as long as 64 kbit/s take for a frame that the peer has announced, until it comes', () => {
    const liveness = createLiveness(HEARTBEAT)
    liveness.start(0)
    liveness.received(20_000)
    liveness.announced(400_000)
    liveness.elapsed(25_000)
    const first = liveness.elapsed(89_999)
    liveness.received(89_999)

    expect(first).not.toBe('dead')
    expect(liveness.elapsed(114_999)).toBe('ping')
    expect(liveness.elapsed(129_999)).toBe('dead')
  })

  test('is found dead as soon before its first frame as after it', () => {
    const liveness = createLiveness(HEARTBEAT)
    liveness.start(0)

    expect(pass(liveness, 200_000).at(-1)).toEqual({ at: 40_000, verdict: 'dead' })
  })
})

describe('a link that follows one which was lost to silence', () => {
  function die(liveness: Liveness, now: number): number {
    liveness.received(now)
    liveness.start(now)
    return (pass(liveness, Infinity).at(-1)?.at ?? 0) - now
  }

  test('has twice as long, up to eight times', () => {
    const liveness = createLiveness(HEARTBEAT)

    expect([1, 2, 3, 4, 5].map((link) => die(liveness, link * 1_000_000))).toEqual([
      40_000, 55_000, 85_000, 145_000, 145_000,
    ])
  })

  test('has as long as any once a frame has come later than a dead link would have been found', () => {
    const liveness = createLiveness(HEARTBEAT)
    die(liveness, 1_000_000)
    liveness.received(2_000_000)
    liveness.start(2_000_000)
    liveness.received(2_040_001)

    expect(die(liveness, 3_000_000)).toBe(40_000)
  })

  test('has twice as long where the peer cannot be asked, too', () => {
    const liveness = createLiveness(null)
    liveness.start(0, HEARTBEAT)
    pass(liveness, Infinity)
    liveness.start(100_000, HEARTBEAT)

    expect(liveness.deadline).toBe(180_000)
  })
})
