import { Entry, type Delivery } from '../../../src/outbox/delivery.js'
import { nameOf } from '../../../src/protocol/writer-id.js'
import type { Verdict } from './verdict.js'

/** What an application has sent up. */
interface Up {
  readonly number: number
  readonly page: string
  readonly kind: 'message' | 'request' | 'volatile'
  readonly isBad: boolean
  readonly isInMemory: boolean
  isStored: boolean
  /** What the sender holds; undefined until `send` has returned. */
  delivery: Delivery | undefined
  /** Who has settled it: its page, and those that adopted it. */
  readonly settledBy: Set<string>
  /** Why it has failed. */
  error: string | undefined
  /** Its client was closed since. */
  isAbandoned: boolean
  /** It is in memory only, and handed to the next opening. */
  isHandedOn: boolean
  readonly handlings: Handling[]
}

/** One call of a handler. */
export interface Handling {
  /** The life of the server's process. */
  readonly process: number
  /** How often the server had lost memory by then. */
  readonly losses: number
  /** How often its store had gone back in time. */
  readonly returns: number
  isDone: boolean
}

/** What the server tells a handler. */
interface Context {
  readonly id: string
  readonly isRetransmitted: boolean
  readonly maybeDuplicate: boolean
}

/** The books of the way up: what was sent, what became of it, and whether that is what was promised. */
export interface Ups {
  /** `isInMemory`: the store takes nothing just now. */
  sent(number: number, page: string, kind: Up['kind'], isBad: boolean, isInMemory?: boolean): void
  /** The id by which other pages will speak of it. */
  named(number: number, id: string, delivery?: Delivery): void
  knows(id: string): boolean
  /** The names of the writers whose messages were handled: whoever got one of them may know its id. */
  readonly writers: readonly string[]
  stored(id: string): void
  /** Whether the message may be on a wire. The delivery knows before its listeners are told. */
  isStored(number: number): boolean
  /** These writers have leapt over what the server may have handled and forgotten: it cannot know. */
  held(writers: readonly string[]): void
  delivered(page: string, id: string): void
  failed(page: string, id: string, code: string): void
  answered(number: number, result: unknown): void
  unanswered(number: number, code: string): void
  /** The delivery that the application holds has settled, well or with a code. */
  promised(number: number, code: string | undefined): void
  /** Its sender did not take it. */
  refused(number: number, code: string): void
  /**
   * The page's client is closed: its promises end, and what is stored waits for the next opening; `isInMemory`: so does the
   * rest, since the store has nothing.
   */
  closed(page: string, isInMemory?: boolean): void
  died(page: string): void
  /** The server has lost memory, or its store has failed to keep something. */
  lost(): void
  /** The server's store goes back in time. */
  wentBack(): void
  handling(number: number, process: number, context: Context): Handling
  /** Everything is at rest. */
  rest(): void
}

/** Why a request may fail although nothing is wrong. */
const GIVEN_UP = new Set(['REQUEST_TIMEOUT', 'REQUEST_ABORTED', 'REMOVED', 'CLIENT_CLOSED', 'TOO_LARGE', 'OUTBOX_FULL'])

export function createUps({ check, count }: Verdict, isDurable: boolean): Ups {
  const ups = new Map<number, Up>()
  const numbers = new Map<string, number>()
  const dead = new Set<string>()
  /** Of each writer the last that was handled for the first time. */
  const lastHandled = new Map<string, number>()
  /** Process and writer: the process has seen all that the writer ever sent. */
  const witnessed = new Set<string>()
  const leapt = new Set<string>()
  let losses = 0
  let returns = 0

  const get = (number: number): Up => ups.get(number) as Up
  const find = (id: string): Up => get(numbers.get(id) as number)
  /** The store did not take it, and it is sent all the same. */
  const isKeptOut = ({ delivery }: Up): boolean => delivery instanceof Entry && delivery.keptOut !== undefined
  const isHandled = ({ handlings }: Up): boolean => handlings.some(({ isDone }) => isDone)

  function settle(page: string, message: Up): void {
    check(!message.settledBy.has(page), 'up-settled-twice', () => `${page} settles ${message.number} twice`)
    message.settledBy.add(page)
  }

  function checkOrder({ number, page, kind, error, isAbandoned }: Up, { id }: Context): void {
    const writer = writerOf(id)
    const last = lastHandled.get(writer) ?? 0
    check(number > last, 'up-order', () => `${number} is handled after ${last}`)
    lastHandled.set(writer, number)
    // Nobody waits for a request any more that was given up; it may be handled all the same.
    const isOver = kind === 'message' && error !== undefined && !isAbandoned && !dead.has(page)
    check(!isOver, 'up-after', () => `${number} is handled after it has failed with ${error}`)
  }

  function checkRepeat({ number, handlings }: Up, handling: Handling, context: Context): void {
    const last = handlings.at(-1) as Handling
    count('handled again')
    // What a link holds back that its client has long left says that it was never sent before. PROTOCOL.md, section 5.
    const isFirstSending = !context.isRetransmitted && handling.process === last.process
    const isUnknowable = isFirstSending && handling.returns !== last.returns
    check(
      context.maybeDuplicate || isUnknowable,
      'up-twice',
      () => `${number} is handled again, and the handler is not told`,
    )
    const isExcused = handling.process !== last.process || handling.losses !== last.losses
    check(isExcused, 'up-again', () => `${number} is handled again by a server that has lost nothing`)
  }

  function checkWarning({ id, isRetransmitted, maybeDuplicate }: Context, process: number): void {
    const writer = writerOf(id)
    const key = `${process} ${writer}`
    if (isRetransmitted) count('handled a repeat')
    check(isRetransmitted || !maybeDuplicate, 'up-alarm', () => `${id} may be a duplicate of what was never sent`)
    const isFalse = maybeDuplicate && !losses && witnessed.has(key) && !leapt.has(writer)
    check(!isFalse, 'up-alarm', () => `${id} cannot be a duplicate: this process has seen its writer's beginning`)
    if (!isRetransmitted) witnessed.add(key)
  }

  function checkRest(message: Up): void {
    const { number, page, kind, error, isStored, isAbandoned, isHandedOn, settledBy, handlings } = message
    if (kind === 'volatile') return
    const isDead = dead.has(page)
    if (isKeptOut(message)) count('sent from memory')
    check(isDead || isAbandoned || settledBy.has(page), `${kind}-stuck`, () => `${number} of ${page} is not settled`)
    // While its client closes, only the delivery tells that it has failed.
    if (message.delivery?.status === 'failed') return
    const isKept = isDead ? isStored && isDurable : isStored || isHandedOn || (isKeptOut(message) && !isAbandoned)
    if (kind === 'request' || !isKept || error !== undefined) return
    check(handlings.length > 0, 'up-lost', () => `${number} was stored, and is neither handled nor failed`)
  }

  return {
    sent(number, page, kind, isBad, isInMemory = false) {
      ups.set(number, {
        ...{
          number,
          page,
          kind,
          isBad,
          isInMemory,
          isStored: false,
          delivery: undefined,
          settledBy: new Set(),
          error: undefined,
        },
        ...{ isAbandoned: false, isHandedOn: false, handlings: [] },
      })
    },
    named(number, id, delivery) {
      numbers.set(id, number)
      if (delivery) get(number).delivery = delivery
    },
    knows: (id) => numbers.has(id),
    get writers() {
      return [...lastHandled.keys()]
    },
    stored: (id) => void (find(id).isStored = true),
    isStored(number) {
      const { kind, isStored, isInMemory, delivery, isAbandoned, page } = get(number)
      // A message that is kept in memory is stored, and sent, before `send` returns.
      const isSafe = delivery ? delivery.status !== 'queued' || isKeptOut(get(number)) : !isDurable || isInMemory
      // What its page was storing when it ended may be stored, and nobody was told.
      // Nor of what it accepted while its client closed.
      const isLeft = isAbandoned || delivery?.error?.code === 'CLIENT_CLOSED'
      return isStored || isSafe || kind === 'request' || isLeft || dead.has(page)
    },
    held: (writers) => writers.forEach((writer) => leapt.add(nameOf(writer))),
    delivered(page, id) {
      const message = find(id)
      const { number, isBad, isAbandoned } = message
      settle(page, message)
      // It had failed, and could not be struck off the disk: who finds it there may find the server done with it.
      if (message.error !== undefined && (page !== message.page || isAbandoned)) return
      check(isHandled(message), 'up-early', () => `${number} is delivered before its handler has ended`)
      check(!isBad, 'up-verdict', () => `${number} is delivered, and its handler rejects it`)
    },
    failed(page, id, code) {
      const message = find(id)
      const { number, kind, isBad } = message
      settle(page, message)
      message.error = code
      count(`failed ${code}`)
      if (kind === 'volatile') return
      if (code === 'REJECTED') {
        check(isBad, 'up-verdict', () => `${number} is rejected, and its handler does not reject it`)
        check(isHandled(message), 'up-early', () => `${number} is rejected before its handler has ended`)
      } else {
        // What the server may have handled is not called failed; only who adopts it cannot know.
        const isUnknown = page !== message.page || message.isAbandoned || !message.handlings.length
        check(isUnknown, 'up-verdict', () => `${number} has failed with ${code}, and a handler has had it`)
      }
    },
    answered(number, result) {
      const message = get(number)
      settle(message.page, message)
      count('answered')
      check(isHandled(message), 'up-early', () => `${number} is answered before its handler has ended`)
      check(result === number, 'request-result', () => `${number} is answered with ${String(result)}`)
    },
    unanswered(number, code) {
      const message = get(number)
      settle(message.page, message)
      message.error = code
      count(`unanswered ${code}`)
      if (code === 'REJECTED') {
        check(message.isBad, 'up-verdict', () => `request ${number} is rejected, and its handler does not reject it`)
        check(isHandled(message), 'up-early', () => `request ${number} is rejected before its handler has ended`)
      } else if (code === 'RESULT_LOST') {
        check(isHandled(message), 'up-early', () => `request ${number} has lost its answer, and was not handled`)
      } else check(GIVEN_UP.has(code), 'request-result', () => `request ${number} has failed with ${code}`)
    },
    promised(number, code) {
      const { page, error, settledBy } = get(number)
      if (code === 'CLIENT_CLOSED') return
      check(settledBy.has(page) && error === code, 'up-promise', () => `the delivery of ${number} settles: ${code}`)
    },
    refused(number, code) {
      const message = get(number)
      settle(message.page, message)
      message.error = code
      count(`refused ${code}`)
      check(code === 'OUTBOX_FULL', 'up-verdict', () => `${number} is refused: ${code}`)
    },
    closed(page, isInMemory = false) {
      for (const message of ups.values()) {
        if (message.page === page) {
          message.isHandedOn ||= isInMemory && !message.isAbandoned && isKeptOut(message)
          message.isAbandoned = true
        }
        // What its store could not strike off is found again, and settled again.
        message.settledBy.delete(page)
      }
    },
    died: (page) => void dead.add(page),
    lost: () => void losses++,
    wentBack() {
      losses++
      returns++
    },
    handling(number, process, context) {
      const message = get(number)
      const handling: Handling = { process, losses, returns, isDone: false }
      if (message.kind === 'volatile') {
        check(!message.handlings.length, 'volatile-twice', () => `the volatile ${number} is handled again`)
      } else {
        checkWarning(context, process)
        if (message.handlings.length) checkRepeat(message, handling, context)
        else checkOrder(message, context)
      }
      message.handlings.push(handling)
      return handling
    },
    rest() {
      for (const message of ups.values()) checkRest(message)
    },
  }
}

const writerOf = (id: string): string => id.slice(0, id.lastIndexOf(':'))
