import type { DownFrame } from '../../protocol/frames.js'
import { messageId } from '../../protocol/writer-id.js'
import { HoldfastError } from '../../shared/errors.js'
import type { ProtocolEvent } from '../dialect.js'
import { rejection } from './server-errors.js'

/** A frame of the server's stream: a message, or the reply to a request. */
export type StreamFrame = Extract<DownFrame, { t: 'm' | 'r' }>

/** @param r what an answer to it names, where it asks for one */
export const messageOf = ({ e, d, r }: { e: string; d?: unknown; r?: string }): ProtocolEvent => ({
  type: 'message',
  message: { event: e, data: d },
  replyTo: r,
})

export const eventOf = (frame: StreamFrame): ProtocolEvent => {
  if (frame.t === 'm') return messageOf(frame)
  const { w, n, d, error } = frame
  const reply = error ? { error: rejection(error.code, error.message) } : { data: d }
  return { type: 'reply', id: messageId(w, n), reply }
}

/** No listener came in time for this event of the stream: it is dropped, so that the stream goes on. */
export const unheard = (event: string): ProtocolEvent => ({
  type: 'error',
  error: new HoldfastError('NO_LISTENER', `No listener was bound in time for "${event}", which is dropped`),
})
