import { ConnectionLostError, HoldfastError, RemoteProtocolError, StorageError } from '../../shared/errors.js'
import {
  BAD_REQUEST,
  FORBIDDEN,
  GOING_AWAY,
  INTERNAL_ERROR,
  LINK_ABANDONED,
  MESSAGE_TOO_BIG,
  NORMAL_CLOSURE,
  RATE_LIMITED,
  SUPERSEDED,
  TRY_AGAIN_LATER,
  UNAUTHORIZED,
} from '../../protocol/close-codes.js'
import type { EndReason } from './api.js'

/** The error for a client that is not authenticated; `failed`: the fault is ours. */
export interface Refusal {
  readonly error: HoldfastError
  readonly reason: 'unauthorized' | 'forbidden' | 'failed'
}

/** How a connection is closed over an error. */
export interface Closing {
  readonly code: number
  /** The error for the client. */
  readonly told: HoldfastError
}

/** How the connection of a client is closed that is not authenticated. */
export const REFUSAL_CODES: Record<Refusal['reason'], number> = {
  unauthorized: UNAUTHORIZED,
  forbidden: FORBIDDEN,
  failed: INTERNAL_ERROR,
}

/** How a connection is closed whose session has ended. */
export const SESSION_CLOSE_CODES: Record<EndReason, number> = {
  bye: NORMAL_CLOSURE,
  closed: NORMAL_CLOSURE,
  expired: TRY_AGAIN_LATER,
  overflow: TRY_AGAIN_LATER,
  evicted: TRY_AGAIN_LATER,
  lost: SUPERSEDED,
  superseded: SUPERSEDED,
  failed: INTERNAL_ERROR,
  stopped: GOING_AWAY,
}

/** An error of the client is sent to it with its message. Of an error of the server, the client gets the code only. */
export function closingOf(error: HoldfastError): Closing {
  if (error.name !== 'RemoteProtocolError') {
    return { code: INTERNAL_ERROR, told: new HoldfastError(error.code, 'The server failed') }
  }
  if (error.code === 'RATE_LIMITED') return { code: RATE_LIMITED, told: error }
  if (error.code === 'FORBIDDEN') return { code: FORBIDDEN, told: error }
  return { code: error.code === 'TOO_LARGE' ? MESSAGE_TOO_BIG : BAD_REQUEST, told: error }
}

export const tooLarge = (bytes: number, bytesMax: number): RemoteProtocolError =>
  new RemoteProtocolError('TOO_LARGE', `The peer sent a frame of ${bytes} bytes; it must have at most ${bytesMax}`)

export const crowded = (bytesMax: number): RemoteProtocolError =>
  new RemoteProtocolError('RATE_LIMITED', `The peer sent more than ${bytesMax} bytes that must wait`)

export const tooFrequent = (perSecond: number): RemoteProtocolError =>
  new RemoteProtocolError('RATE_LIMITED', `The peer sent more than ${perSecond} frames per second`)

export const storeFailed = (cause: unknown): StorageError =>
  new StorageError('STORAGE_FAILED', 'The store failed; closing the connection', cause)

export const noHello = (withinMs: number): HoldfastError =>
  new HoldfastError('HELLO_TIMEOUT', `No hello within ${withinMs} ms`)

export const noSession = (): HoldfastError =>
  new HoldfastError('SERVER_FAILED', 'The session cannot go on, or there is no room for another')

export const superseded = (): HoldfastError =>
  new HoldfastError('SUPERSEDED', 'Another connection has this session now')

/** The error for a client whose session has ended; none where the application has ended it, with its own reason. */
export function endError(reason: EndReason): HoldfastError | undefined {
  if (reason === 'superseded' || reason === 'lost') return superseded()
  if (reason === 'overflow') return new HoldfastError('OVERFLOW', 'More is unacknowledged than is kept')
  return reason === 'failed' ? serverFailed() : undefined
}

/** Two processes answer for one address, and each has a memory of its own. */
export const notShared = (what: string): HoldfastError =>
  new HoldfastError(
    'MEMORY_NOT_SHARED',
    `${what}: memoryStreams() is the memory of one process, so that sessions, rooms and the record of what was handled are not shared. Run one process, or give all of them one store of your own, or send each client to the same process (sticky sessions)`,
  )

export const notReady = (): HoldfastError => new HoldfastError('SERVER_FAILED', 'The server is not ready')

export const serverFailed = (): HoldfastError => new HoldfastError('STORAGE_FAILED', 'The server failed')

export const notReading = (peer: string, bytes: number): ConnectionLostError =>
  lost('CONNECTION_CLOSED', `${peer} does not read: ${bytes} bytes wait for it`, TRY_AGAIN_LATER, 'does not read')

export const silent = (peer: string, silentMs: number): ConnectionLostError =>
  lost('HEARTBEAT_TIMEOUT', `No frame from ${peer} for ${Math.round(silentMs)} ms`, LINK_ABANDONED, 'silent')

const lost = (code: 'CONNECTION_CLOSED' | 'HEARTBEAT_TIMEOUT', what: string, closeCode: number, reason: string) =>
  new ConnectionLostError(code, `${what}; closing with ${closeCode}`, closeCode, reason)
