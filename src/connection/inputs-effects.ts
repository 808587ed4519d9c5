import type { HoldfastError } from '../shared/errors.js'
import type { Gap } from '../dialects/dialect.js'
import type { Body, Message, Received } from '../protocol/codec.js'

/** What the session is told. */
export type Input =
  | { readonly type: 'connect' | 'reconnect' | 'close' | 'suspend' | 'resume' | 'elapsed' }
  /** `credential` is what the application's `auth` answered. */
  | { readonly type: 'opened'; readonly credential?: unknown }
  /** `wake`: the page came into view or the machine online; `doubt`: it went offline. Hints to look at the link at once. */
  | { readonly type: 'wake' | 'doubt' }
  | { readonly type: 'closed'; readonly code: number; readonly reason: string }
  /** The attempt failed before there was a socket; `isFinal` where trying again cannot help. */
  | { readonly type: 'failed'; readonly error: HoldfastError; readonly isFinal?: boolean }
  | { readonly type: 'frame'; readonly frame: Received }

/** What the session asks of its shell, in this order. */
export type Effect =
  /** Ask the url provider and open a socket; forget any earlier attempt. */
  | { readonly type: 'dial'; readonly attempt: number }
  /** Abandon the socket, or the attempt, at once: whatever it still says is not wanted. */
  | { readonly type: 'hangUp'; readonly code: number; readonly reason: string }
  | { readonly type: 'transmit'; readonly frame: Body }
  /** Hand the message to the application. */
  | { readonly type: 'message'; readonly message: Message; readonly answer?: (data: unknown) => void }
  | { readonly type: 'gap'; readonly gap: Gap }
  /** Ask the application for a fresh credential, and send it. */
  | { readonly type: 'reauth' }
  | { readonly type: 'roundTrip'; readonly rttMs: number }
  | { readonly type: 'report'; readonly error: HoldfastError }
  /** `state` is another than before. */
  | { readonly type: 'changed' }
