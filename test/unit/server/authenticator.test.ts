import { describe, expect, test, vi } from 'vitest'
import { HoldfastError, RefusedError } from '../../../src/shared/errors.js'
import type { Core } from '../../../src/server/base/context.js'
import { createGate, type Gate } from '../../../src/server/connection/authenticator.js'
import { resolveOptions, type Credential, type EngineOptions } from '../../../src/server/base/options.js'
import { createFakeClock, type FakeClock } from '../../support/fake-platform.js'
import { createServerPlatform } from '../../support/server-world.js'

function open(authenticate: EngineOptions['authenticate']): { gate: Gate; clock: FakeClock } {
  const clock = createFakeClock()
  const options = resolveOptions(authenticate ? { authenticate } : {})
  // It reads nothing else of the core.
  const core = { platform: createServerPlatform(clock), options } as Core
  return { gate: createGate(core, { url: '/live', headers: {} }), clock }
}

const check = (gate: Gate, auth?: unknown): Promise<unknown> =>
  new Promise((resolve) => gate.check(auth, resolve, resolve))

describe('check', () => {
  test('knows everybody as nobody in particular by default', async () => {
    const { gate } = open(undefined)

    expect(await check(gate)).toBe('')
    expect(gate.deadline).toBe(Infinity)
  })

  test('hands on the credential and the request', async () => {
    let given: Credential | undefined
    const { gate } = open((credential) => {
      given = credential
      return { user: 'ann' }
    })

    expect(await check(gate, 'ticket')).toBe('ann')
    expect(given).toMatchObject({ auth: 'ticket', request: { url: '/live' } })
  })

  test.each([null, undefined, false] as const)('takes %o for nobody', async (answer) => {
    const { gate } = open(() => Promise.resolve(answer))

    expect(await check(gate)).toMatchObject({ reason: 'unauthorized', error: { code: 'UNAUTHORIZED' } })
  })

  test.each([new HoldfastError('FORBIDDEN', 'not you'), new RefusedError('REFUSED_BY_SERVER', 'not you')])(
    'shuts out: %s',
    async (error) => {
      const { gate } = open(async () => {
        throw error
      })

      expect(await check(gate)).toMatchObject({ reason: 'forbidden', error: { code: 'FORBIDDEN', message: 'not you' } })
    },
  )

  test('takes an UNAUTHORIZED that is thrown for one that is given', async () => {
    const { gate } = open(() => {
      throw new HoldfastError('UNAUTHORIZED', 'outdated')
    })

    expect(await check(gate)).toMatchObject({ reason: 'unauthorized', error: { message: 'outdated' } })
  })

  test.each([{}, 'ann', { user: 7 }, { user: 'ann', expiresAt: 'soon' }, { user: 'ann', expiresAt: NaN }])(
    'takes the answer %o for a fault of ours',
    async (answer) => {
      const { gate } = open(() => answer as never)

      expect(await check(gate)).toMatchObject({ reason: 'failed', error: { code: 'AUTH_FAILED' } })
    },
  )

  test('takes another error for a fault of ours', async () => {
    const { gate } = open(() => {
      throw new Error('the database is away')
    })

    expect(await check(gate)).toMatchObject({ reason: 'failed', error: { code: 'AUTH_FAILED' } })
  })

  test('answers nobody who is gone, and says so to who checks', async () => {
    let credential: Credential | undefined
    let answer: (answer: null) => void = () => {}
    const { gate, clock } = open((given) => {
      credential = given
      return new Promise<null>((resolve) => (answer = resolve))
    })
    const heard = vi.fn()
    gate.check('ticket', heard, heard)

    gate.close()
    answer(null)
    await clock.settle()

    expect(credential?.signal.aborted).toBe(true)
    expect(heard).not.toHaveBeenCalled()
  })
})

describe('a credential that expires', () => {
  const expiring = (forMs: number): ReturnType<typeof open> & { wallMs: number } => {
    const opened = open(() => ({ user: 'ann', expiresAt: opened.clock.wallNow() + forMs }))
    return { ...opened, wallMs: opened.clock.wallNow() }
  }

  test('is asked for anew, well before', async () => {
    const { gate } = expiring(60_000)
    await check(gate)

    expect(gate.deadline).toBe(30_000)
    expect(gate.elapsed(29_999)).toBeUndefined()
    expect(gate.elapsed(30_000)).toEqual({ within: 30_000 })
    expect(gate.elapsed(30_001)).toBeUndefined()
    expect(gate.deadline).toBe(60_000)
    expect(gate.elapsed(60_000)).toMatchObject({ reason: 'unauthorized', error: { code: 'UNAUTHORIZED' } })
  })

  test('is asked for at half its time when that is short, so that asking never goes round and round', async () => {
    const { gate } = expiring(5_000)
    await check(gate)

    expect(gate.deadline).toBe(2_500)
    expect(gate.elapsed(2_499)).toBeUndefined()
    expect(gate.elapsed(2_500)).toEqual({ within: 2_500 })
  })

  test('does not get older when somebody sets the clock', async () => {
    const { gate, clock } = expiring(60_000)
    await check(gate)

    clock.stepWall(3_600_000)

    expect(gate.deadline).toBe(30_000)
  })

  test('is replaced by a fresh one', async () => {
    const { gate, clock } = expiring(60_000)
    await check(gate)
    await clock.advance(40_000)
    gate.elapsed(40_000)

    expect(await check(gate, 'fresh')).toBe('ann')

    expect(gate.deadline).toBe(70_000)
  })

  test('lets nobody in when it is outdated', async () => {
    const { gate } = expiring(0)

    expect(await check(gate)).toMatchObject({ reason: 'unauthorized' })
  })

  test('must stay the same user’s', async () => {
    const users = ['ann', 'bob']
    const { gate } = open(() => ({ user: users.shift() ?? '' }))
    await check(gate)

    expect(await check(gate)).toMatchObject({
      reason: 'unauthorized',
      error: { message: 'The credential is of another user' },
    })
  })
})
