import { atOnce, isBody, type Body, type Codec, type Received } from '../../protocol/codec.js'

/** A ping where the application gives none: the codec's event `ping`, or the text `ping` where it has no such event. */
export function pingOf(codec: Codec): Body {
  try {
    const frame = atOnce(codec.encode('ping', undefined))
    if (isBody(frame)) return frame
  } catch {
    // It has no such event.
  }
  return 'ping'
}

/**
 * Whether a frame answers a ping, as servers in use write it: `pong`, or JSON with `pong` for its `type`, `event` or `op`.
 * With a payload it is a message.
 */
export function saysPong(frame: Received): boolean {
  if (typeof frame !== 'string' || !frame.includes('pong')) return false
  if (/^"?pong"?$/.test(frame)) return true
  try {
    const { type, event, op, data = null }: Record<string, unknown> = JSON.parse(frame)
    return data === null && [type, event, op].includes('pong')
  } catch {
    return false
  }
}
