import { textOf } from '../shared/errors.js'
import { isRecord } from '../shared/validate.js'
import { badFrameFrom, type Codec, type Message, type Received } from './codec.js'
import type { CompanionCodec } from './frame-codec.js'
import { encoded, msgpackFrames } from './msgpack-frames.js'
import { fromMsgpack } from './msgpack-read.js'

/**
 * Binary frames in MessagePack: for `plain()` the map `{"event": …, "data": …}`, for `reliable()` and the companion server
 * the subprotocol `holdfast.1.msgpack`. A payload may hold, beside what JSON has, bytes (an
 * `ArrayBuffer` or `Uint8Array`, which arrives as `Uint8Array`), a `Date` to the millisecond, BigInts of up to 64 bits,
 * `NaN` and the infinities. A field that is `undefined` stays away, in a list it becomes null, and what has `toJSON`, save
 * a `Date`, becomes what that returns. `send` refuses what has no form, and names its place: `Blob`, `File`, `Map`, `Set`,
 * `Error`, promises, functions, symbols, other typed arrays, larger BigInts, invalid dates, half a surrogate pair, and
 * what is nested more than 100 deep.
 *
 * From a peer in another language, int 64 and uint 64 are BigInts; it writes what is to be a number in fewer bits or as a
 * float 64.
 *
 * @example createClient({ url, dialect: plain({ codec: msgpack() }) })
 * @example createClient({ url, dialect: reliable({ codec: msgpack() }) })
 */
export function msgpack(): Codec & CompanionCodec {
  return {
    frames: msgpackFrames,
    encode: (event, data) => encoded(event, { event, data }),
    decode(frame) {
      const value = readFrame(frame)
      if (isRecord(value) && typeof value.event === 'string') return value as unknown as Message
      throw badFrameFrom('server', 'no {"event": string, "data": …}', frame)
    },
  }
}

/** @throws {RemoteProtocolError} `BAD_FRAME` */
function readFrame(frame: Received): unknown {
  if (typeof frame === 'string') throw badFrameFrom('server', 'a text frame where MessagePack was expected', frame)
  try {
    return fromMsgpack(new Uint8Array(frame))
  } catch (cause) {
    throw badFrameFrom('server', `no MessagePack (${textOf(cause)})`, frame, cause)
  }
}
