import type { RequestOptions } from '../../shared/contract.js'
import { DeliveryError } from '../../shared/errors.js'
import { requireInteger, withDefaults } from '../../shared/validate.js'
import type { Failure } from '../../protocol/frames.js'
import type { EngineContext } from '../base/context.js'
import type { Deadline, Timed } from '../base/deadlines.js'
import type { StreamEntry } from '../stores/stream-store.js'
import { requireName } from './handlers.js'

/** A session, from the side of its asks. */
interface AskingSession {
  /** False when it has ended. */
  append(entry: StreamEntry): boolean
}

type Context = Pick<EngineContext, 'platform' | 'codec' | 'deadlines'>

/** How long an answer is waited for by default, in milliseconds. */
const TIMEOUT_MS = 30_000

/** The longest reason that an error quotes, in characters. */
const REASON_LENGTH_MAX = 1_000

/** What a session has asked its client, and was not answered yet. */
export class Asks {
  readonly #context: Context
  readonly #session: AskingSession
  readonly #waiting = new Map<string, Ask>()

  constructor(context: Context, session: AskingSession) {
    this.#context = context
    this.#session = session
  }

  /** @throws {DeliveryError | LocalProtocolError | TypeError | RangeError} (as a rejection) */
  async ask(name: string, params: unknown, options: RequestOptions | undefined): Promise<unknown> {
    requireName(name)
    const { platform, codec, deadlines } = this.#context
    const { timeoutMs = TIMEOUT_MS, signal } = withDefaults('ask', options, { timeoutMs: undefined, signal: undefined })
    if (timeoutMs !== Infinity) requireInteger('timeoutMs', timeoutMs)
    const payload = codec.encode(name, params)
    if (signal?.aborted) throw aborted(name)
    const id = platform.createId()
    const ask = new Ask(name)
    const deadline: Deadline = deadlines.create(ask)
    const abort = (): void => ask.fail(aborted(name))
    signal?.addEventListener('abort', abort)
    deadline.set(platform.now() + timeoutMs)
    this.#waiting.set(id, ask)
    try {
      if (!this.#session.append({ head: { t: 'm', e: name, r: id }, payload })) ask.fail(sessionEnded(name))
      return await ask.answer
    } finally {
      this.#waiting.delete(id)
      deadline.set(Infinity)
      signal?.removeEventListener('abort', abort)
    }
  }

  /** The client has answered; false where nobody waits for that. */
  answered(id: string, data: unknown, failure: Failure | undefined): boolean {
    const ask = this.#waiting.get(id)
    if (!ask) return false
    if (failure) ask.fail(refused(ask.name, failure))
    else ask.succeed(data)
    // Not only once the promise is looked at: a repeat may follow right behind.
    return this.#waiting.delete(id)
  }

  /** The session has ended. */
  end(): void {
    for (const ask of this.#waiting.values()) ask.fail(sessionEnded(ask.name))
  }
}

/** One ask. */
class Ask implements Timed {
  readonly name: string
  readonly answer: Promise<unknown>
  succeed!: (data: unknown) => void
  fail!: (error: DeliveryError) => void

  constructor(name: string) {
    this.name = name
    this.answer = new Promise((resolve, reject) => {
      this.succeed = resolve
      this.fail = reject
    })
  }

  elapsed(): void {
    this.fail(new DeliveryError('REQUEST_TIMEOUT', `The client has not answered "${this.name}" in time`))
  }
}

const aborted = (name: string): DeliveryError => new DeliveryError('REQUEST_ABORTED', `"${name}" was aborted`)

const sessionEnded = (name: string): DeliveryError =>
  new DeliveryError('SESSION_ENDED', `The session has ended, and with it the answer to "${name}"`)

function refused(name: string, { code, message }: Failure): DeliveryError {
  if (code === 'NO_HANDLER') return new DeliveryError(code, `The client has no handler of "${name}"`)
  if (code === 'TOO_LARGE')
    return new DeliveryError(code, `The answer to "${name}" is longer than limits.frameBytesMax`)
  if (code === 'NOT_ENCODABLE')
    return new DeliveryError(code, `The answer to "${name}" cannot be sent: ${message.slice(0, REASON_LENGTH_MAX)}`)
  return new DeliveryError('REJECTED', message.slice(0, REASON_LENGTH_MAX))
}
