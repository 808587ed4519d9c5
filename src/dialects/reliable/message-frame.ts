import { sizeOf, type Body } from '../../protocol/codec.js'
import type { UpFrame } from '../../protocol/frames.js'
import type { Entry } from '../../outbox/delivery.js'
import type { OutgoingFrame } from '../dialect.js'

export const sized = (frame: Body): OutgoingFrame => ({ frame, bytes: sizeOf(frame) })

/**
 * A message as it goes on the wire, without its payload.
 *
 * @param isCurrent whether the message before it on this connection was of the same writer
 * @param ageMs how long ago it was written
 */
export const messageFrame = (
  { writer, sequence, event, wasSent, isRequest }: Entry,
  isCurrent: boolean,
  ageMs: number,
): UpFrame => ({
  t: 'm',
  ...(!isCurrent && { w: writer }),
  s: sequence,
  e: event,
  ...(wasSent && { u: 1 }),
  ...(isRequest && { r: 1 }),
  ...(ageMs >= 1_000 && { age: ageMs }),
})
