import { stringify, type Body, type Received } from './codec.js'
import { badFrame, SUBPROTOCOL, type DownFrame, type UpFrame } from './frames.js'

/** How frames are written and read. The frames are the same whatever the codec; each codec has its own subprotocol. */
export interface FrameCodec {
  readonly subprotocol: string
  /**
   * A message's payload, encoded once, when the message is accepted.
   * @throws {LocalProtocolError} `NOT_ENCODABLE`
   */
  encode(event: string, data: unknown): Body
  /** Whether the payload can be of this codec's making: another dialect may have filled the outbox. */
  takes(payload: Body): boolean
  /** A frame, with an encoded payload as its field `d`; an empty one stays away. */
  write(frame: UpFrame | DownFrame, payload?: Body): Body
  /**
   * What the frame holds, not yet checked.
   * @throws {RemoteProtocolError} `BAD_FRAME`
   */
  read(frame: Received): unknown
}

/** A codec that `reliable()` and the companion server can speak beside JSON: `msgpack()`. */
export interface CompanionCodec {
  readonly frames: FrameCodec
}

/** Frames as JSON in text messages: `holdfast.1`. */
export const jsonFrames: FrameCodec = {
  subprotocol: SUBPROTOCOL,
  encode: (event, data) => (data === undefined ? '' : stringify(event, data)),
  takes: (payload) => typeof payload === 'string',
  write(frame, payload = '') {
    const text = JSON.stringify(frame)
    return payload === '' ? text : `${text.slice(0, -1)},"d":${String(payload)}}`
  },
  read(frame) {
    if (typeof frame !== 'string') throw badFrame('a binary frame where text was expected', frame)
    try {
      return JSON.parse(frame)
    } catch (cause) {
      throw badFrame('invalid JSON', frame, cause)
    }
  },
}
