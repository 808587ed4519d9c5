import { sizeOf, type Body } from '../../protocol/codec.js'
import type { FrameCodec } from '../../protocol/frame-codec.js'
import type { AnswerFailure } from '../../shared/emitter.js'
import { textOf } from '../../shared/errors.js'

/** How much of a reason is sent, in characters. */
const REASON_LENGTH_MAX = 1_000

/**
 * The answer to an ask of the server. One that cannot be sent fails the ask.
 *
 * @param bytesMax the longest frame that the server takes
 */
export function answerFrame(
  codec: FrameCodec,
  id: string,
  data: unknown,
  failure: AnswerFailure | undefined,
  bytesMax: number,
): Body {
  const fail = (code: string, reason?: unknown): Body => {
    const message = textOf((reason as Partial<Error> | null | undefined)?.message ?? reason)
    return codec.write({ t: 'r', id, error: { code, message: message.slice(0, REASON_LENGTH_MAX) } })
  }
  if (failure) return fail('reason' in failure ? 'REJECTED' : 'NO_HANDLER', failure.reason)
  try {
    const frame = codec.write({ t: 'r', id }, codec.encode(id, data))
    return sizeOf(frame) > bytesMax ? fail('TOO_LARGE') : frame
  } catch (cause) {
    return fail('NOT_ENCODABLE', cause)
  }
}
