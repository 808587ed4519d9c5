import { isRecord } from '../shared/validate.js'
import type { RemoteProtocolError } from '../shared/errors.js'
import { badFrameFrom, type Received } from './codec.js'

/** The frames of `holdfast.1`. What they mean and when they are sent stands in PROTOCOL.md, section 3. */

/** Writer → sequence. */
export type Sequences = Readonly<Record<string, number>>

/** A rejected message: writer, sequence, code, message. */
export type Rejection = readonly [writer: string, sequence: number, code: string, message: string]

/** Why something was not answered. */
export interface Failure {
  readonly code: string
  readonly message: string
}

/** Frames from the client to the server. */
export type UpFrame =
  | {
      t: 'hello'
      writers: Sequences
      auth?: unknown
      stream?: { readonly id: string; readonly s: number; readonly g?: string; readonly c?: number }
    }
  | { t: 'resume'; writers: Sequences }
  | { t: 'm'; w?: string; s: number; e: string; d?: unknown; u?: 1; r?: 1; age?: number }
  | { t: 'skip' | 'cancel'; w: string; s: number }
  | { t: 'a'; s: number }
  | { t: 'r'; id: string; d?: unknown; error?: Failure }
  | { t: 'v'; e: string; d?: unknown }
  | { t: 'auth'; auth: unknown }
  | { t: 'p' | 'o' | 'bye' }

/** Frames from the server to the client. */
export type DownFrame =
  | {
      t: 'greeting'
      v: 1
      frame: number
      window: { readonly messages: number; readonly bytes: number }
      heartbeat: { readonly interval: number; readonly timeout: number }
    }
  | {
      t: 'welcome'
      session: string
      resumed: boolean
      lost?: string
      cursors: Sequences
      no?: readonly Rejection[]
      held?: true
      spread?: number
    }
  | { t: 'm'; s: number; g: string; e: string; d?: unknown; r?: string }
  | {
      t: 'r'
      s: number
      g: string
      w: string
      n: number
      d?: unknown
      error?: Failure
    }
  | { t: 'a'; w: Sequences; no?: readonly Rejection[]; r?: readonly string[] }
  | { t: 'v'; e: string; d?: unknown }
  | { t: 'reauth'; within: number }
  | { t: 'drain'; after: number }
  | { t: 'error'; code: string; message: string; after?: number }
  | { t: 'p'; spread?: number }
  | { t: 'o'; next?: number }

/** The subprotocol's name. */
export const SUBPROTOCOL = 'holdfast.1'

/** How many writers a `hello` may name. */
export const WRITERS_MAX = 64

/** The longest event name, in characters. */
export const NAME_LENGTH_MAX = 256

type Check = (value: unknown) => boolean
type Shape = Readonly<Record<string, Check>>

const isText: Check = (value) => typeof value === 'string'
const isName: Check = (value) => typeof value === 'string' && value !== '' && value.length <= NAME_LENGTH_MAX
const isId: Check = (value) => typeof value === 'string' && /^[\w.~-]{1,64}$/.test(value)
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0
const isSequence: Check = (value) => isCount(value) && value !== 0
const isOne: Check = (value) => value === 1
const isAny: Check = () => true
const isPresent: Check = (value) => value !== undefined
const maybe =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value)
const has =
  (shape: Shape): Check =>
  (value) =>
    isRecord(value) && !wrongField(shape, value)
const isMap =
  (check: Check, max = Infinity): Check =>
  (value) => {
    if (!isRecord(value)) return false
    const entries = Object.entries(value)
    return entries.length <= max && entries.every(([key, one]) => isId(key) && check(one))
  }
const isRejections: Check = (value) =>
  Array.isArray(value) &&
  value.every((one) => Array.isArray(one) && isId(one[0]) && isSequence(one[1]) && isText(one[2]) && isText(one[3]))

const isIds: Check = (value) => Array.isArray(value) && value.every(isId)

const wrongField = (shape: Shape, frame: Record<string, unknown>): string | undefined => {
  for (const field in shape) if (!shape[field]?.(frame[field])) return field
  return undefined
}

const NOTHING: Shape = {}
const VOLATILE: Shape = { e: isName, d: isAny }
const isFailure = /* @__PURE__ */ maybe(/* @__PURE__ */ has({ code: isText, message: isText }))

// Each side's bundle holds only the shapes that it reads: a bundler drops the pure call that nobody needs.
const UP: Readonly<Record<string, Shape>> = /* @__PURE__ */ (() => ({
  hello: {
    writers: isMap(isSequence, WRITERS_MAX),
    auth: isAny,
    stream: maybe(has({ id: isId, s: isCount, g: maybe(isId), c: maybe(isCount) })),
  },
  resume: { writers: isMap(isSequence, WRITERS_MAX) },
  m: { w: maybe(isId), s: isSequence, e: isName, d: isAny, u: maybe(isOne), r: maybe(isOne), age: maybe(isCount) },
  skip: { w: isId, s: isSequence },
  cancel: { w: isId, s: isSequence },
  a: { s: isSequence },
  r: { id: isId, d: isAny, error: isFailure },
  v: VOLATILE,
  auth: { auth: isPresent },
  p: NOTHING,
  o: NOTHING,
  bye: NOTHING,
}))()

const DOWN: Readonly<Record<string, Shape>> = /* @__PURE__ */ (() => ({
  greeting: {
    v: isOne,
    frame: isSequence,
    window: has({ messages: isSequence, bytes: isSequence }),
    heartbeat: has({ interval: isSequence, timeout: isSequence }),
  },
  welcome: {
    session: isId,
    resumed: (value) => typeof value === 'boolean',
    lost: maybe(isText),
    cursors: isMap(isCount),
    no: maybe(isRejections),
    held: maybe((value) => value === true),
    spread: maybe(isCount),
  },
  m: { s: isSequence, g: isId, e: isName, d: isAny, r: maybe(isId) },
  r: { s: isSequence, g: isId, w: isId, n: isSequence, d: isAny, error: isFailure },
  a: { w: isMap(isCount), no: maybe(isRejections), r: maybe(isIds) },
  v: VOLATILE,
  reauth: { within: isCount },
  drain: { after: isCount },
  error: { code: isText, message: isText, after: maybe(isCount) },
  p: { spread: maybe(isCount) },
  o: { next: maybe(isSequence) },
}))()

/**
 * What a client has sent, once decoded, as the frame that it is, checked field by field.
 *
 * @throws {RemoteProtocolError} `BAD_FRAME`, naming the type and the field
 * @example upFrame({ t: 'a', s: 120 })
 */
export const upFrame = (value: unknown): UpFrame => checked(UP, value) as UpFrame

/** What a server has sent; as `upFrame`. */
export const downFrame = (value: unknown): DownFrame => checked(DOWN, value) as DownFrame

function checked(shapes: Readonly<Record<string, Shape>>, value: unknown): object {
  if (!isRecord(value)) throw badFrame('no frame')
  const { t } = value
  const shape = typeof t === 'string' && Object.hasOwn(shapes, t) ? shapes[t] : undefined
  if (!shape) throw badFrame(`a frame of unknown type ${show(t)}`)
  const field = wrongField(shape, value)
  if (field) throw badFrame(`a frame "${String(t)}" with a wrong "${field}": ${show(value[field])}`)
  return value
}

/** Objects and lists have no words that are safe to ask for: they may be nested deeper than the stack. */
const show = (value: unknown): string =>
  typeof value === 'object' && value !== null ? 'an object' : String(value).slice(0, 80)

/** The error for a frame that either side may have sent; as `badFrameFrom`. */
export const badFrame = (what: string, frame?: Received, cause?: unknown): RemoteProtocolError =>
  badFrameFrom('peer', what, frame, cause)
