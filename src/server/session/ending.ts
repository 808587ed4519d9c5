import type { Rejection } from '../../protocol/frames.js'
import type { IncomingMessage } from '../ordering/waiting-items.js'
import type { StreamEntry } from '../stores/stream-store.js'
import type { Outcome } from './handlers.js'

/** How a message ends: a handler that wants to be called again has not ended it. */
export type Ending = Exclude<Outcome, { status: 'later' }>

export const CANCELLED: Ending = {
  status: 'rejected',
  code: 'CANCELLED',
  message: 'The client does not wait for the reply any more',
}

export function replyOf({ writer, sequence }: IncomingMessage, outcome: Ending): StreamEntry {
  const head = { t: 'r', w: writer, n: sequence } as const
  if (outcome.status === 'done') return { head, payload: outcome.payload }
  return { head: { ...head, error: { code: outcome.code, message: outcome.message } }, payload: '' }
}

/** A rejected request is answered by its reply. */
export function rejectionOf({ writer, sequence, isRequest }: IncomingMessage, outcome: Ending): Rejection | undefined {
  if (isRequest || outcome.status === 'done') return undefined
  return [writer, sequence, outcome.code, outcome.message]
}
