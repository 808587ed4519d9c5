import {
  DeliveryError,
  type HoldfastError,
  LocalProtocolError,
  RefusedError,
  RemoteProtocolError,
} from '../../shared/errors.js'
import type { DownFrame } from '../../protocol/frames.js'

/** What the server has made of a message, or of a request: `NO_HANDLER`, `RESULT_LOST`, or `REJECTED` with the handler's words. */
export const rejection = (code: string, message: string): HoldfastError =>
  new DeliveryError(code === 'NO_HANDLER' || code === 'RESULT_LOST' ? code : 'REJECTED', message)

/** The server is of another kind. */
export const foreign = (why: string, cause?: unknown): RefusedError =>
  new RefusedError('PROTOCOL_MISMATCH', `The server does not speak holdfast.1: ${why}`, cause)

/** A frame that is right in itself and comes at the wrong time. */
export const unexpected = ({ t }: DownFrame): RemoteProtocolError =>
  new RemoteProtocolError('BAD_FRAME', `The server sent "${t}" out of turn`)

/** A message that this server would never take. */
export const messageTooLarge = (event: string, bytes: number, max: number): DeliveryError =>
  new DeliveryError('TOO_LARGE', `"${event}" makes a frame of ${bytes} bytes; the server takes frames of ${max} bytes`)

/**
 * The credential, or the number of writers, makes our first frame longer than any that the server takes. Closed over
 * with 1009, it would be blamed on the messages behind it.
 */
export const helloTooLarge = (bytes: number, max: number): LocalProtocolError =>
  new LocalProtocolError('TOO_LARGE', `Our hello is ${bytes} bytes long; the server takes frames of ${max} bytes`)
