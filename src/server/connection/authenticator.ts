import { HoldfastError, textOf } from '../../shared/errors.js'
import { isError } from '../../shared/realms.js'
import { isObject } from '../../shared/validate.js'
import type { EngineContext } from '../base/context.js'
import type { Credential, Identity } from '../base/options.js'
import type { Upgrade, UpgradeRequest } from '../base/upgrade-request.js'
import type { Refusal } from '../base/close-reasons.js'
import { whenDone } from '../base/when-done.js'
import type { SessionClient } from '../session/session-link.js'

/** How long before its end a credential is renewed, in milliseconds. */
const REAUTH_MS = 30_000

/** The result of a check: exactly one of the two is called, unless the connection is gone first. */
export interface AuthenticationResult {
  accepted(identity: Identity): void
  refused(refusal: Refusal): void
}

/** The user of one connection, and until when its credential is valid. */
export class Authenticator implements SessionClient {
  readonly #context: Pick<EngineContext, 'platform' | 'options' | 'requestOf'>
  readonly #upgrade: Upgrade
  /** Made when somebody reads it. */
  #request: UpgradeRequest | undefined = undefined
  #identity: Identity | undefined = undefined
  #expiresAt = Infinity
  #renewAt = Infinity
  #isRenewing = false
  /** When `authenticate` has taken too long; `Infinity` while it does not run. */
  #checkBy = Infinity
  #checks = 0
  #isClosed = false
  /** Made for the first `authenticate` that reads its signal. */
  #controller: AbortController | undefined = undefined

  constructor(context: Pick<EngineContext, 'platform' | 'options' | 'requestOf'>, upgrade: Upgrade) {
    this.#context = context
    this.#upgrade = upgrade
  }

  /** When `elapsed` must be called; `Infinity` while nothing expires, and `authenticate` does not run. */
  get deadline(): number {
    return Math.min(this.#checkBy, this.#isRenewing ? this.#expiresAt : this.#renewAt)
  }

  /** The client's address, for messages. */
  get peer(): string {
    return this.#upgrade.remoteAddress ?? 'a client'
  }

  /** What the application may see of the connection's upgrade. */
  get request(): UpgradeRequest {
    this.#request ??= this.#context.requestOf(this.#upgrade)
    return this.#request
  }

  get user(): string | undefined {
    return this.#identity?.user
  }

  /** As `authenticate` gave it last. */
  get identity(): Identity {
    return this.#identity ?? NOBODY
  }

  /** Aborts when the connection is gone. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#isClosed) this.#controller.abort()
    return this.#controller.signal
  }

  /** Calls `authenticate`. The result of an earlier check that is under way is ignored. */
  check(auth: unknown, result: AuthenticationResult): void {
    const check = ++this.#checks
    const { platform, options } = this.#context
    this.#checkBy = platform.now() + options.authTimeoutMs
    whenDone<unknown>(
      () => options.authenticate(new ConnectionCredential(auth, this)),
      (answer) => {
        if (this.#answered(check)) this.#decide(answer, result)
      },
      (cause) => {
        if (this.#answered(check)) result.refused(refusalOf(cause))
      },
    )
  }

  /**
   * `{ within }`: the client must renew its credential in so many milliseconds. A refusal: it did not do so in time, or
   * `authenticate` has not answered.
   */
  elapsed(now: number): { readonly within: number } | Refusal | undefined {
    if (now >= this.#checkBy) {
      this.#checks++
      this.#checkBy = Infinity
      return { error: unanswered(this.#context.options.authTimeoutMs), reason: 'failed' }
    }
    if (now >= this.#expiresAt) return refusalOf(outdated())
    if (this.#isRenewing || now < this.#renewAt) return undefined
    this.#isRenewing = true
    return { within: Math.max(0, Math.floor(this.#expiresAt - now)) }
  }

  /** The connection is gone. */
  close(): void {
    this.#isClosed = true
    this.#expiresAt = this.#renewAt = this.#checkBy = Infinity
    this.#controller?.abort()
  }

  /** Whether this is the answer that is waited for. */
  #answered(check: number): boolean {
    if (check !== this.#checks || this.#isClosed) return false
    this.#checkBy = Infinity
    return true
  }

  #decide(answer: unknown, result: AuthenticationResult): void {
    try {
      this.#accept(identityOf(answer))
    } catch (cause) {
      return result.refused(refusalOf(cause))
    }
    result.accepted(this.identity)
  }

  #accept(identity: Identity): void {
    const { user, expiresAt = Infinity } = identity
    if (this.#identity !== undefined && user !== this.#identity.user) {
      throw new HoldfastError('UNAUTHORIZED', 'The credential is of another user')
    }
    this.#identity = identity
    const { platform } = this.#context
    const now = platform.now()
    // On the monotonic clock: setting the wall clock must not move a deadline.
    this.#expiresAt = expiresAt === Infinity ? Infinity : now + expiresAt - platform.wallNow()
    // A credential valid for less than 60 s is renewed after half its lifetime.
    this.#renewAt = this.#expiresAt - Math.min(REAUTH_MS, (this.#expiresAt - now) / 2)
    this.#isRenewing = false
    if (this.#expiresAt <= now) throw outdated()
  }
}

/** Whoever has not said yet who it is. */
const NOBODY: Identity = { user: '' }

/** The argument of `authenticate`. */
class ConnectionCredential implements Credential {
  readonly auth: unknown
  readonly #authenticator: Authenticator

  constructor(auth: unknown, authenticator: Authenticator) {
    this.auth = auth
    this.#authenticator = authenticator
  }

  get request(): UpgradeRequest {
    return this.#authenticator.request
  }

  get signal(): AbortSignal {
    return this.#authenticator.signal
  }
}

const unanswered = (withinMs: number): HoldfastError =>
  new HoldfastError('AUTH_FAILED', `authenticate has not answered within ${withinMs} ms`)

const outdated = (): HoldfastError => new HoldfastError('UNAUTHORIZED', 'The credential is outdated')

/** @throws {HoldfastError | TypeError} `UNAUTHORIZED` where there is no user; a TypeError for a result of another type */
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
  // Checked above; whatever else it has is the application's.
  return answer as Identity
}

function refusalOf(cause: unknown): Refusal {
  // By code, not by class: two copies of this package have two sets of classes.
  const code = isObject(cause) && 'code' in cause ? cause.code : undefined
  if (isError(cause) && code === 'UNAUTHORIZED') {
    return { error: new HoldfastError('UNAUTHORIZED', cause.message, cause.cause), reason: 'unauthorized' }
  }
  if (isError(cause) && (code === 'FORBIDDEN' || cause.name === 'RefusedError')) {
    return { error: new HoldfastError('FORBIDDEN', cause.message, cause.cause), reason: 'forbidden' }
  }
  return { error: new HoldfastError('AUTH_FAILED', `authenticate failed: ${textOf(cause)}`, cause), reason: 'failed' }
}
