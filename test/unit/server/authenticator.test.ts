import { describe, expect, test, vi } from 'vitest'
import { HoldfastError, RefusedError } from '../../../src/shared/errors.js'
import { Authenticator } from '../../../src/server/connection/authenticator.js'
import { resolveOptions, type Credential, type EngineOptions } from '../../../src/server/base/options.js'
import { requestReader } from '../../../src/server/base/upgrade-request.js'
import { createFakeClock, type FakeClock } from '../../support/fake-platform.js'
import { createServerPlatform } from '../../support/server-world.js'

function open(authenticate: EngineOptions['authenticate']): { authenticator: Authenticator; clock: FakeClock } {
  const clock = createFakeClock()
  const options = resolveOptions(authenticate ? { authenticate } : {})
  const context = { platform: createServerPlatform(clock), options, requestOf: requestReader(options, () => {}) }
  return { authenticator: new Authenticator(context, { url: '/live', headers: {} }), clock }
}

const check = (authenticator: Authenticator, auth?: unknown): Promise<unknown> =>
  new Promise((resolve) => authenticator.check(auth, { accepted: resolve, refused: resolve }))

describe('check', () => {
  test('knows everybody as nobody in particular by default', async () => {
    const { authenticator } = open(undefined)

    expect(await check(authenticator)).toEqual({ user: '' })
    expect(authenticator.deadline).toBe(Infinity)
  })

  test('hands on the credential and the request', async () => {
    let given: Credential | undefined
    const { authenticator } = open((credential) => {
      given = credential
      return { user: 'ann' }
    })

    expect(await check(authenticator, 'ticket')).toEqual({ user: 'ann' })
    expect(given).toMatchObject({ auth: 'ticket', request: { url: '/live' } })
  })

  test.each([null, undefined, false] as const)('takes %o for nobody', async (answer) => {
    const { authenticator } = open(() => Promise.resolve(answer))

    expect(await check(authenticator)).toMatchObject({ reason: 'unauthorized', error: { code: 'UNAUTHORIZED' } })
  })

  test.each([new HoldfastError('FORBIDDEN', 'not you'), new RefusedError('REFUSED_BY_SERVER', 'not you')])(
    'shuts out: %s',
    async (error) => {
      const { authenticator } = open(async () => {
        throw error
      })

      expect(await check(authenticator)).toMatchObject({
        reason: 'forbidden',
        error: { code: 'FORBIDDEN', message: 'not you' },
      })
    },
  )

  test('takes an UNAUTHORIZED that is thrown for one that is given', async () => {
    const { authenticator } = open(() => {
      throw new HoldfastError('UNAUTHORIZED', 'outdated')
    })

    expect(await check(authenticator)).toMatchObject({ reason: 'unauthorized', error: { message: 'outdated' } })
  })

  test.each([{}, 'ann', { user: 7 }, { user: 'ann', expiresAt: 'soon' }, { user: 'ann', expiresAt: NaN }])(
    'takes the answer %o for a fault of ours',
    async (answer) => {
      const { authenticator } = open(() => answer as never)

      expect(await check(authenticator)).toMatchObject({ reason: 'failed', error: { code: 'AUTH_FAILED' } })
    },
  )

  test('takes another error for a fault of ours', async () => {
    const { authenticator } = open(() => {
      throw new Error('the database is away')
    })

    expect(await check(authenticator)).toMatchObject({ reason: 'failed', error: { code: 'AUTH_FAILED' } })
  })

  test('answers nobody who is gone, and says so to who checks', async () => {
    let credential: Credential | undefined
    let answer: (answer: null) => void = () => {}
    const { authenticator, clock } = open((given) => {
      credential = given
      return new Promise<null>((resolve) => (answer = resolve))
    })
    const heard = vi.fn()
    authenticator.check('ticket', { accepted: heard, refused: heard })

    authenticator.close()
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
    const { authenticator } = expiring(60_000)
    await check(authenticator)

    expect(authenticator.deadline).toBe(30_000)
    expect(authenticator.elapsed(29_999)).toBeUndefined()
    expect(authenticator.elapsed(30_000)).toEqual({ within: 30_000 })
    expect(authenticator.elapsed(30_001)).toBeUndefined()
    expect(authenticator.deadline).toBe(60_000)
    expect(authenticator.elapsed(60_000)).toMatchObject({ reason: 'unauthorized', error: { code: 'UNAUTHORIZED' } })
  })

  test('is asked for at half its time when that is short, so that asking never goes round and round', async () => {
    const { authenticator } = expiring(5_000)
    await check(authenticator)

    expect(authenticator.deadline).toBe(2_500)
    expect(authenticator.elapsed(2_499)).toBeUndefined()
    expect(authenticator.elapsed(2_500)).toEqual({ within: 2_500 })
  })

  test('does not get older when somebody sets the clock', async () => {
    const { authenticator, clock } = expiring(60_000)
    await check(authenticator)

    clock.stepWall(3_600_000)

    expect(authenticator.deadline).toBe(30_000)
  })

  test('is replaced by a fresh one', async () => {
    const { authenticator, clock } = expiring(60_000)
    await check(authenticator)
    await clock.advance(40_000)
    authenticator.elapsed(40_000)

    expect(await check(authenticator, 'fresh')).toMatchObject({ user: 'ann' })

    expect(authenticator.deadline).toBe(70_000)
  })

  test('lets nobody in when it is outdated', async () => {
    const { authenticator } = expiring(0)

    expect(await check(authenticator)).toMatchObject({ reason: 'unauthorized' })
  })

  test('must stay the same user’s', async () => {
    const users = ['ann', 'bob']
    const { authenticator } = open(() => ({ user: users.shift() ?? '' }))
    await check(authenticator)

    expect(await check(authenticator)).toMatchObject({
      reason: 'unauthorized',
      error: { message: 'The credential is of another user' },
    })
  })
})
