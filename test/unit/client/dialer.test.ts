import { describe, expect, test } from 'vitest'
import { createDialer } from '../../../src/client/dialer.js'
import { RefusedError, type HoldfastError } from '../../../src/shared/errors.js'
import type { AuthSource, UrlProvider } from '../../../src/client/options.js'
import type { DialContext } from '../../../src/dialects/dialect.js'
import { plain } from '../../../src/dialects/plain/plain.js'
import type { SubprotocolProvider } from '../../../src/dialects/plain/subprotocols.js'
import { createFakePlatform } from '../../support/fake-platform.js'

interface SetUp {
  url?: UrlProvider
  auth?: AuthSource
  subprotocols?: string | readonly string[] | SubprotocolProvider
}

function setUp({ url = () => 'ws://server/', auth, subprotocols = [] }: SetUp = {}) {
  const platform = createFakePlatform()
  const opened: [url: string, credential: unknown][] = []
  const offers: (readonly string[])[] = []
  const failed: HoldfastError[] = []
  const dialer = createDialer(
    { url, auth, dialect: plain({ subprotocols }), platform },
    {
      open(target, offered) {
        opened.push([target, dialer.credential])
        offers.push(offered)
      },
      failed: (error) => failed.push(error),
    },
  )
  return { dialer, opened, offers, failed, settle: () => platform.settle() }
}

/** A question that is answered when the test says so. */
function held<Answer>() {
  const answers: ((answer: Answer) => void)[] = []
  const signals: AbortSignal[] = []
  const ask = ({ signal }: DialContext): Promise<Answer> => {
    signals.push(signal)
    return new Promise((resolve) => answers.push(resolve))
  }
  return { ask, signals, answer: (index: number, answer: Answer): void => answers[index]?.(answer) }
}

describe('dialing', () => {
  test('opens the url with the credential of this attempt, asked at the same time', async () => {
    const attempts: unknown[] = []
    const { dialer, opened, settle } = setUp({
      url: ({ attempt }) => `https://server/${attempt}`,
      auth: ({ attempt, signal }) => {
        attempts.push([attempt, signal.aborted])
        return { ticket: attempt }
      },
    })
    dialer.dial(1)
    await settle()
    dialer.dial(2)
    await settle()

    expect(opened).toEqual([
      ['wss://server/1', { ticket: 1 }],
      ['wss://server/2', { ticket: 2 }],
    ])
    expect(attempts).toEqual([
      [1, false],
      [2, false],
    ])
  })

  test('has no credential without a source', async () => {
    const { dialer, opened, settle } = setUp()
    dialer.dial(1)
    await settle()

    expect(opened).toEqual([['ws://server/', undefined]])
  })

  const throwing = (): never => {
    throw new Error('no')
  }
  const cycle: Record<string, unknown> = {}
  cycle['self'] = cycle

  test.each<[string, SetUp, string]>([
    ['the url provider throws', { url: () => Promise.reject(new Error('no')) }, 'URL_FAILED'],
    ['the url provider answers nothing', { url: async () => undefined as never }, 'URL_FAILED'],
    ['the source of credentials throws', { auth: () => Promise.reject(new Error('no')) }, 'AUTH_FAILED'],
    ['the credential is a BigInt', { auth: () => 5n }, 'AUTH_FAILED'],
    ['the credential is a cycle', { auth: async () => cycle }, 'AUTH_FAILED'],
    [
      'the provider of subprotocols throws',
      { subprotocols: () => Promise.reject(new Error('no')) },
      'SUBPROTOCOLS_FAILED',
    ],
    ['it answers nothing', { subprotocols: () => undefined as never }, 'SUBPROTOCOLS_FAILED'],
    ['it throws at once', { subprotocols: throwing }, 'SUBPROTOCOLS_FAILED'],
  ])('fails once when %s', async (_, options, code) => {
    const { dialer, opened, failed, settle } = setUp(options)
    dialer.dial(1)
    await settle()

    expect(opened).toEqual([])
    expect(failed).toMatchObject([{ name: 'ConnectError', code }])
    expect(failed[0]?.cause).toBeInstanceOf(Error)
  })

  test('fails once when both throw', async () => {
    const { dialer, failed, settle } = setUp({
      url: () => Promise.reject(new Error('a')),
      auth: () => Promise.reject(new Error('b')),
    })
    dialer.dial(1)
    await settle()

    expect(failed).toHaveLength(1)
  })

  test('offers what the provider of subprotocols answers for this attempt', async () => {
    const { dialer, offers, settle } = setUp({
      subprotocols: async ({ attempt, signal }) => (signal.aborted ? [] : attempt === 1 ? 'one' : ['two', 'three']),
    })
    dialer.dial(1)
    await settle()
    dialer.dial(2)
    await settle()

    expect(offers).toEqual([['one'], ['two', 'three']])
  })

  test.each<[answer: unknown]>([[null], [5], [''], ['a b'], [['a', 'a']], [['a', 5]], [[['a']]]])(
    'is refused where the provider of subprotocols answers %j, without showing what may be a credential',
    async (answer) => {
      const { dialer, opened, failed, settle } = setUp({ subprotocols: () => answer as string })
      dialer.dial(1)
      await settle()

      expect(opened).toEqual([])
      expect(failed).toMatchObject([{ name: 'RefusedError', code: 'BAD_SUBPROTOCOLS' }])
      expect(failed[0]?.message).toMatch(/^No subprotocols to connect with: .* got "an answer"$/)
    },
  )

  test('is refused by a RefusedError of the provider of subprotocols', async () => {
    const refusal = new RefusedError('UNAUTHORIZED', 'no')
    const { dialer, failed, settle } = setUp({ subprotocols: () => Promise.reject(refusal) })
    dialer.dial(1)
    await settle()

    expect(failed).toEqual([refusal])
  })

  test('forgets an earlier attempt, and tells it so', async () => {
    const url = held<string>()
    const { dialer, opened, settle } = setUp({ url: url.ask })
    dialer.dial(1)
    await settle()
    dialer.dial(2)
    await settle()
    url.answer(1, 'ws://second/')
    url.answer(0, 'ws://first/')
    await settle()

    expect(opened).toEqual([['ws://second/', undefined]])
    expect(url.signals.map(({ aborted }) => aborted)).toEqual([true, false])
  })

  test('is quiet once it is called off', async () => {
    const url = held<string>()
    const { dialer, opened, failed, settle } = setUp({ url: url.ask })
    dialer.dial(1)
    await settle()
    dialer.abort()
    url.answer(0, 'nowhere')
    await settle()

    expect([opened, failed]).toEqual([[], []])
  })

  test('asks nobody before its caller has finished, nor for an attempt that is called off by then', async () => {
    const asked: number[] = []
    const { dialer, settle } = setUp({
      url: ({ attempt }) => {
        asked.push(attempt)
        return 'ws://server/'
      },
    })
    dialer.dial(1)
    dialer.dial(2)
    const early = [...asked]
    await settle()
    dialer.dial(3)
    dialer.abort()
    await settle()

    expect(early).toEqual([])
    expect(asked).toEqual([2])
  })
})

describe('a fresh credential', () => {
  test('is asked for under the attempt that has made the connection', async () => {
    const asked: unknown[] = []
    const { dialer, settle } = setUp({ auth: ({ attempt }) => asked.push(attempt) && `ticket ${asked.length}` })
    const taken: unknown[] = []
    dialer.dial(3)
    await settle()
    dialer.refresh((credential) => taken.push(credential))
    await settle()

    expect(asked).toEqual([3, 3])
    expect(taken).toEqual(['ticket 2'])
  })

  test('is not asked for without a source', async () => {
    const { dialer, failed, settle } = setUp()
    const taken: unknown[] = []
    dialer.dial(1)
    dialer.refresh((credential) => taken.push(credential))
    await settle()

    expect([taken, failed]).toEqual([[], []])
  })

  test.each([
    ['throws', () => Promise.reject(new Error('no'))],
    ['is no JSON', () => 5n],
  ])('that %s is told', async (_, auth) => {
    const { dialer, failed, settle } = setUp({ auth })
    dialer.refresh(() => {})
    await settle()

    expect(failed).toMatchObject([{ code: 'AUTH_FAILED' }])
  })

  test('that comes when the connection is gone is dropped, and so is its failure', async () => {
    const auth = held<unknown>()
    const { dialer, failed, settle } = setUp({ auth: auth.ask })
    const taken: unknown[] = []
    dialer.refresh((credential) => taken.push(credential))
    dialer.refresh((credential) => taken.push(credential))
    await settle()
    dialer.abort()
    auth.answer(0, 'late')
    auth.answer(1, 5n)
    await settle()

    expect([taken, failed]).toEqual([[], []])
  })
})
