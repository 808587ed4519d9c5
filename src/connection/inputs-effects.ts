import type { ReadyEvent } from '../dialects/dialect.js'
import type { CloseAdvice } from '../protocol/close-codes.js'
import type { HoldfastError } from '../shared/errors.js'

/** What the connection is told. */
export type Input =
  | { readonly type: 'connect' | 'reconnect' | 'close' | 'suspend' | 'resume' | 'elapsed' }
  /** A socket is open; `ready` where that is the whole handshake. */
  | { readonly type: 'opened'; readonly ready?: ReadyEvent | undefined }
  /**
   * Hints to look at the link at once. `wake`: the page came into view or the machine online; `doubt`: it went offline, or
   * the server owes an answer, and has so long for it.
   */
  | { readonly type: 'wake' | 'doubt'; readonly withinMs?: number }
  /** `wish`: the application's own decision on whether to come back, where it has one. */
  | { readonly type: 'closed'; readonly code: number; readonly reason: string; readonly wish?: CloseAdvice | undefined }
  /**
   * What an attempt needs could not be had, or no fresh credential for a connection that is up. After a refusal trying
   * again cannot help.
   */
  | { readonly type: 'failed'; readonly error: HoldfastError }
  /** A frame came that the dialect understands. */
  | { readonly type: 'frame' | 'pong' }
  /** A frame came that the dialect does not understand or that refuses us; or our own side cannot go on. */
  | { readonly type: 'broken'; readonly error: HoldfastError }
  /** The server's next frame has so many bytes. */
  | { readonly type: 'announced'; readonly bytes: number }
  | ReadyEvent
  | { readonly type: 'spread'; readonly spreadMs: number | undefined }
  /** The server says why it will close, or when to come back. */
  | { readonly type: 'farewell'; readonly words?: string; readonly retryAfterMs?: number | undefined }

/** What the connection asks of the client, in this order. */
export type Effect =
  /** Ask the url provider and open a socket; forget any earlier attempt. */
  | { readonly type: 'dial'; readonly attempt: number }
  /** Abandon the socket, or the attempt, at once: nothing that it still says is wanted. */
  | { readonly type: 'hangUp'; readonly code: number; readonly reason: string }
  | { readonly type: 'ping' }
  | { readonly type: 'roundTrip'; readonly rttMs: number }
  | { readonly type: 'report'; readonly error: HoldfastError }
  /** `state` is another than before. */
  | { readonly type: 'changed' }
