import type { HoldfastError } from '../shared/errors.js'

/**
 * The connection as a state machine. This file is the whole of its theory; `connection.ts` acts on it.
 *
 * A client either wants to be connected or does not. While it does, it is always in exactly one of five states:
 * it is trying (`connecting`, then `handshaking`), it has made it (`connected`), it waits for the next try
 * (`waiting`), or its page is frozen and may not try (`suspended`). While it does not, it is `idle` (never asked)
 * or `closed` (asked to stop, or told by the server that trying again is useless).
 *
 * Each state carries what belongs to it and nothing else, so an illegal combination cannot be written down.
 * All times are milliseconds of the monotonic clock.
 */
export type ConnectionState =
  | { readonly status: 'idle' }
  /** Asking the url provider, then dialling. `attempt` counts from 1, and grows with each in a row that failed. */
  | { readonly status: 'connecting'; readonly attempt: number }
  /** The socket is open; the server has yet to answer the dialect's greeting. */
  | { readonly status: 'handshaking'; readonly attempt: number }
  | {
      readonly status: 'connected'
      readonly connectedAt: number
      /** The server's name for the session; only where the dialect has sessions. */
      readonly sessionId?: string
      /** Whether the session goes on where the last connection ended; only where the dialect has sessions. */
      readonly recovered?: boolean
    }
  /** The attempt numbered `attempt` is made at `retryAt`; `error` ended the last one. */
  | { readonly status: 'waiting'; readonly attempt: number; readonly retryAt: number; readonly error: HoldfastError }
  /** The page is frozen, or in the back/forward cache. */
  | { readonly status: 'suspended' }
  /** `error` says why the client stopped by itself; null after `close`. */
  | { readonly status: 'closed'; readonly error: HoldfastError | null }

export type Status = ConnectionState['status']

/** What can move the connection on. Several inputs share a trigger: a refused dial and a cut link are both `lost`. */
export type Trigger =
  'connect' | 'opened' | 'ready' | 'lost' | 'refused' | 'due' | 'reconnect' | 'suspend' | 'resume' | 'close'

/** From, by, to. A trigger that is missing from a state's row is ignored in that state. */
export const TRANSITIONS = {
  idle: { connect: 'connecting', close: 'closed' },
  connecting: {
    opened: 'handshaking',
    lost: 'waiting',
    refused: 'closed',
    reconnect: 'connecting',
    suspend: 'suspended',
    close: 'closed',
  },
  handshaking: {
    ready: 'connected',
    lost: 'waiting',
    refused: 'closed',
    reconnect: 'connecting',
    suspend: 'suspended',
    close: 'closed',
  },
  connected: { lost: 'waiting', refused: 'closed', reconnect: 'connecting', suspend: 'suspended', close: 'closed' },
  waiting: { due: 'connecting', reconnect: 'connecting', suspend: 'suspended', close: 'closed' },
  suspended: { resume: 'connecting', close: 'closed' },
  closed: { connect: 'connecting', reconnect: 'connecting' },
} as const satisfies Record<Status, Partial<Record<Trigger, Status>>>

/** Where `trigger` leads from `status`, or undefined where it changes nothing. */
export const next = (status: Status, trigger: Trigger): Status | undefined =>
  (TRANSITIONS[status] as Partial<Record<Trigger, Status>>)[trigger]

/** Whether the client wants to be connected. */
export const isTrying = ({ status }: ConnectionState): boolean => status !== 'idle' && status !== 'closed'
