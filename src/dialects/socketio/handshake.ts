import { isRecord } from '../../shared/validate.js'
import { RefusedError, textOf, type ErrorCode } from '../../shared/errors.js'
import type { Heartbeat } from '../../protocol/heartbeat.js'
import type { createPacketReader } from './packets.js'

/** What a Socket.IO server says of itself when its engine opens. */
export interface Handshake {
  /** It pings every `interval`; a link is dead that was silent for `interval + timeout`. */
  readonly heartbeat: Heartbeat
  /** The longest frame that it takes, in bytes; `Infinity` where it does not say, as before Socket.IO 4.5. */
  readonly frameBytesMax: number
}

type Read = ReturnType<ReturnType<typeof createPacketReader>['read']>

/**
 * The handshake that must be the first packet of a connection. Source: Engine.IO protocol, revision 4, "Handshake".
 *
 * @throws {RefusedError} `PROTOCOL_MISMATCH` for anything else
 */
export function handshakeOf(read: () => Read): Handshake {
  let first: Read
  try {
    first = read()
  } catch (cause) {
    throw refusal('PROTOCOL_MISMATCH', textOf(cause), cause)
  }
  if (!first || !('engine' in first) || first.engine.type !== 'open') {
    throw refusal('PROTOCOL_MISMATCH', 'Its first packet opens no engine')
  }
  const { pingInterval, pingTimeout, maxPayload } = recordIn(first.engine.data)
  if (!isPositive(pingInterval) || !isPositive(pingTimeout)) {
    throw refusal('PROTOCOL_MISMATCH', 'Its handshake does not say how often it pings')
  }
  const frameBytesMax = isPositive(maxPayload) ? maxPayload : Infinity
  return { heartbeat: { interval: pingInterval, timeout: pingTimeout }, frameBytesMax }
}

function recordIn(text: unknown): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(String(text))
    return isRecord(value) ? value : {}
  } catch {
    return {}
  }
}

const isPositive = (value: unknown): value is number => Number.isFinite(value) && (value as number) > 0

/** The server is of another kind, or will not have us. */
export function refusal(code: ErrorCode, why: string, cause?: unknown): RefusedError {
  const what =
    code === 'PROTOCOL_MISMATCH' ? 'The server does not speak Socket.IO as we do' : 'The Socket.IO server refused us'
  return new RefusedError(code, `${what}: ${why}`, cause)
}
