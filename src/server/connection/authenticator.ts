import { HoldfastError, textOf } from '../../shared/errors.js'
import { isObject } from '../../shared/validate.js'
import type { Core } from '../base/context.js'
import type { Identity, UpgradeRequest } from '../base/options.js'
import type { Refusal } from '../base/close-reasons.js'
import { settle } from '../base/when-done.js'

/** Who a client is, and for how long that is believed. */
export interface Gate {
  /** When `elapsed` wants to be called; `Infinity` while nothing expires. */
  readonly deadline: number
  /** Asks `authenticate`; exactly one of the two is called, unless the gate is closed first. */
  check(auth: unknown, admitted: (user: string) => void, refused: (refusal: Refusal) => void): void
  /** `{ within }`: ask for a fresh credential. A refusal: none came in time. */
  elapsed(now: number): { readonly within: number } | Refusal | undefined
  /** The connection is gone. */
  close(): void
}

/** How long before its end a client is asked for a fresh credential, in milliseconds. */
const REAUTH_MS = 30_000

/** @param request the upgrade of the connection */
export function createGate({ platform, options }: Core, request: UpgradeRequest): Gate {
  const controller = new AbortController()
  let user: string | undefined
  let expiresAt = Infinity
  let askAt = Infinity
  let isAsked = false
  let asks = 0

  function admit(identity: Identity): string {
    if (user !== undefined && identity.user !== user) {
      throw new HoldfastError('UNAUTHORIZED', 'The credential is of another user')
    }
    user = identity.user
    // A deadline must not move when somebody sets the clock.
    const { expiresAt: until = Infinity } = identity
    expiresAt = until === Infinity ? Infinity : platform.now() + until - platform.wallNow()
    // One that lives shortly is asked for at half its time: each answer must buy some quiet.
    askAt = expiresAt - Math.min(REAUTH_MS, (expiresAt - platform.now()) / 2)
    isAsked = false
    if (expiresAt <= platform.now()) throw outdated()
    return user
  }

  return {
    get deadline() {
      return isAsked ? expiresAt : askAt
    },
    check(auth, admitted, refused) {
      const ask = ++asks
      const isCurrent = (): boolean => ask === asks && !controller.signal.aborted
      const decide = (answer: unknown): void => {
        if (!isCurrent()) return
        let name: string
        try {
          name = admit(identityOf(answer))
        } catch (cause) {
          return refused(refusalOf(cause))
        }
        admitted(name)
      }
      settle<unknown>(
        () => options.authenticate({ auth, request, signal: controller.signal }),
        decide,
        (cause) => void (isCurrent() && refused(refusalOf(cause))),
      )
    },
    elapsed(now) {
      if (now >= expiresAt) return refusalOf(outdated())
      if (isAsked || now < askAt) return undefined
      isAsked = true
      return { within: Math.max(0, Math.floor(expiresAt - now)) }
    },
    close() {
      expiresAt = askAt = Infinity
      controller.abort()
    },
  }
}

const outdated = (): HoldfastError => new HoldfastError('UNAUTHORIZED', 'The credential is outdated')

/** @throws {HoldfastError} `UNAUTHORIZED` for nobody, and a TypeError for what is no answer */
function identityOf(answer: unknown): Identity {
  if (answer === null || answer === undefined || answer === false) {
    throw new HoldfastError('UNAUTHORIZED', 'The credential was not accepted')
  }
  if (!isObject(answer) || !('user' in answer) || typeof answer.user !== 'string') {
    throw new TypeError(`authenticate gave ${textOf(answer)}; it must give { user: string } or null`)
  }
  const expiresAt = 'expiresAt' in answer ? answer.expiresAt : undefined
  if (expiresAt !== undefined && (typeof expiresAt !== 'number' || Number.isNaN(expiresAt))) {
    throw new TypeError(`authenticate gave expiresAt ${textOf(expiresAt)}; it must be milliseconds since 1970`)
  }
  return { user: answer.user, expiresAt }
}

function refusalOf(cause: unknown): Refusal {
  // Errors are told apart by code: two copies of this package have two sets of classes.
  const code = isObject(cause) && 'code' in cause ? cause.code : undefined
  if (cause instanceof Error && code === 'UNAUTHORIZED') {
    return { error: new HoldfastError('UNAUTHORIZED', cause.message, cause.cause), reason: 'unauthorized' }
  }
  if (cause instanceof Error && (code === 'FORBIDDEN' || cause.name === 'RefusedError')) {
    return { error: new HoldfastError('FORBIDDEN', cause.message, cause.cause), reason: 'forbidden' }
  }
  return { error: new HoldfastError('AUTH_FAILED', `authenticate failed: ${textOf(cause)}`, cause), reason: 'failed' }
}
