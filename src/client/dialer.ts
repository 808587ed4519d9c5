import type { DialContext } from '../dialects/dialect.js'
import { ConnectError, isRefusal, RefusedError, textOf, type HoldfastError } from '../shared/errors.js'
import { answerOf } from '../shared/provider.js'
import { parseUrl, type AuthSource, type ResolvedOptions } from './options.js'

/**
 * Asks the application where to connect, with which credential and which subprotocols, anew at every attempt. It asks once
 * the turn has ended in which it is told to, since what it asks may act on the client.
 */
export interface Dialer {
  /** What `auth` has answered for the attempt that is under way; undefined without one. */
  readonly credential: unknown
  /** Asks for all of them, and then opens a socket; an earlier attempt is forgotten. */
  dial(attempt: number): void
  /** A fresh credential for the connection that is up; `took` is not called once it is gone. */
  refresh(took: (credential: unknown) => void): void
  /** The browser made no socket. */
  blocked(cause: unknown): void
  /** Whatever is being asked is not wanted any more. */
  abort(): void
}

interface DialerListener {
  open(url: string, subprotocols: readonly string[]): void
  /** The attempt has failed before there was a socket, or the credential could not be refreshed. */
  failed(error: HoldfastError): void
}

/** What waits for it goes on in a task of its own, after the call that is under way. */
const TURN_ENDED = Promise.resolve()

type Options = Pick<ResolvedOptions, 'url' | 'auth' | 'dialect' | 'platform'>

export function createDialer({ url, auth, dialect, platform }: Options, listener: DialerListener): Dialer {
  let controller = new AbortController()
  let attempt = 1
  let credential: unknown

  function located(target: string | URL | null): string {
    if (target === null) throw new RefusedError('REFUSED_BY_URL', 'The url provider has answered null')
    return parseUrl(target, platform.pageUrl)
  }

  async function identify(source: AuthSource, context: DialContext): Promise<unknown> {
    try {
      const identity = await source(context)
      JSON.stringify(identity) // Throws here, at the attempt, for what no frame can carry.
      return identity
    } catch (cause) {
      throw isRefusal(cause)
        ? cause
        : new ConnectError('AUTH_FAILED', `No credential to connect with: ${textOf(cause)}`, cause)
    }
  }

  async function ask(signal: AbortSignal): Promise<void> {
    await TURN_ENDED
    if (signal.aborted) return
    const context = { attempt, signal }
    const { subprotocols } = dialect
    try {
      const [target, identity, offered] = await Promise.all([
        answerOf('URL', url, context, located),
        auth && identify(auth, context),
        typeof subprotocols === 'function' ? subprotocols(context) : subprotocols,
      ])
      if (signal.aborted) return
      credential = identity
      listener.open(target, offered)
    } catch (error) {
      if (!signal.aborted) listener.failed(error as HoldfastError)
    }
  }

  return {
    get credential() {
      return credential
    },
    dial(number) {
      controller.abort()
      controller = new AbortController()
      attempt = number
      void ask(controller.signal)
    },
    refresh(took) {
      if (!auth) return
      const { signal } = controller
      TURN_ENDED.then(() => signal.aborted || identify(auth, { attempt, signal })).then(
        (identity) => signal.aborted || took(identity),
        (error: unknown) => signal.aborted || listener.failed(error as HoldfastError),
      )
    },
    blocked(cause) {
      const words = `The browser made no socket: ${textOf(cause)}`
      listener.failed(new RefusedError('BLOCKED_BY_BROWSER', words, cause))
    },
    abort: () => controller.abort(),
  }
}
