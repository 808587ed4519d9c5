import { HoldfastError, RemoteProtocolError } from '../errors.js'
import {
  BAD_REQUEST,
  FORBIDDEN,
  INTERNAL_ERROR,
  MESSAGE_TOO_BIG,
  RATE_LIMITED,
  UNAUTHORIZED,
} from '../protocol/close-codes.js'
import type { Refusal } from './gate.js'

/** How a connection is closed over an error. */
export interface Closing {
  readonly code: number
  /** What the client is told. */
  readonly told: HoldfastError
  /** When it may come back, in milliseconds. */
  readonly afterMs?: number
}

/** How a client is closed that is not let in. */
export const REFUSAL_CODES: Record<Refusal['reason'], number> = {
  unauthorized: UNAUTHORIZED,
  forbidden: FORBIDDEN,
  failed: INTERNAL_ERROR,
}

/** When a client that was too fast may come back, in milliseconds. */
const RATE_LIMITED_AFTER_MS = 1_000

/** The client's faults are told to it in words. What went wrong inside is not its business. */
export function closingOf(error: HoldfastError): Closing {
  if (!(error instanceof RemoteProtocolError)) {
    return { code: INTERNAL_ERROR, told: new HoldfastError(error.code, 'The server failed') }
  }
  if (error.code === 'RATE_LIMITED') return { code: RATE_LIMITED, told: error, afterMs: RATE_LIMITED_AFTER_MS }
  return { code: error.code === 'TOO_LARGE' ? MESSAGE_TOO_BIG : BAD_REQUEST, told: error }
}

export const badFrame = (what: string): RemoteProtocolError =>
  new RemoteProtocolError('BAD_FRAME', `The peer sent ${what}`)

export const tooLarge = (bytes: number, bytesMax: number): RemoteProtocolError =>
  new RemoteProtocolError('TOO_LARGE', `The peer sent a frame of ${bytes} bytes; it must have at most ${bytesMax}`)
