import type { Received } from '../../protocol/codec.js'
import type { FrameCodec } from '../../protocol/frame-codec.js'
import { downFrame, type DownFrame } from '../../protocol/frames.js'
import { foreign } from './server-errors.js'

/** What the server says of itself before anything else. PROTOCOL.md, section 2. */
export type Greeting = Extract<DownFrame, { t: 'greeting' }>

/**
 * The greeting that must be the first frame of a connection.
 *
 * @throws {RefusedError} `PROTOCOL_MISMATCH` for anything else
 */
export function greetingOf(codec: FrameCodec, received: Received): Greeting {
  let frame: DownFrame
  try {
    frame = downFrame(codec.read(received))
  } catch (cause) {
    throw foreign('its first frame makes no sense', cause)
  }
  if (frame.t !== 'greeting') throw foreign(`its first frame is "${frame.t}"`)
  return frame
}
