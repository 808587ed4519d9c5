/**
 * Everything that can go wrong has a class, a `code` and, where one error led to another, a `cause`.
 *
 * ```
 * HoldfastError
 * ├── ConnectError          an attempt to connect failed; another follows
 * ├── ConnectionLostError   a working connection ended; another follows
 * ├── RefusedError          no attempt follows: `connect()` starts afresh
 * ├── LocalProtocolError    our caller asked for what cannot be put on the wire; thrown by `send`
 * ├── RemoteProtocolError   the peer sent what its dialect does not allow
 * ├── DeliveryError         one message was not delivered, and why
 * ├── StorageError          the outbox could not be read or written
 * └── ListenerError         an application's listener threw
 * ```
 *
 * A wrong option or argument is not in this family: it throws a `TypeError` or `RangeError` at the call.
 * Tell errors apart by `code` or `name`: two copies of this package in one program have two sets of classes.
 */
export type ErrorCode =
  | 'URL_FAILED'
  | 'BAD_URL'
  | 'REFUSED_BY_URL'
  | 'SUBPROTOCOLS_FAILED'
  | 'BAD_SUBPROTOCOLS'
  | 'UNREACHABLE'
  | 'CONNECT_TIMEOUT'
  | 'HEARTBEAT_TIMEOUT'
  | 'CONNECTION_CLOSED'
  | 'UNAUTHORIZED'
  | 'REFUSED_BY_SERVER'
  | 'BLOCKED_BY_BROWSER'
  | 'ATTEMPTS_EXHAUSTED'
  | 'NOT_ENCODABLE'
  | 'TOO_LARGE'
  | 'BAD_FRAME'
  | 'PROTOCOL_MISMATCH'
  | 'SEQUENCE_GAP'
  | 'BAD_ACK'
  | 'RATE_LIMITED'
  | 'FORBIDDEN'
  | 'AUTH_FAILED'
  | 'REJECTED'
  | 'NO_HANDLER'
  | 'RESULT_LOST'
  | 'REQUEST_TIMEOUT'
  | 'REQUEST_ABORTED'
  | 'EXPIRED'
  | 'OUTBOX_FULL'
  | 'SUPERSEDED'
  | 'INVALIDATED'
  | 'REMOVED'
  | 'NOT_CONNECTED'
  | 'NOT_STORED'
  | 'NOT_ACKNOWLEDGED'
  | 'CLIENT_CLOSED'
  | 'STORAGE_UNAVAILABLE'
  | 'STORAGE_FULL'
  | 'STORAGE_FAILED'
  | 'STORAGE_RESET'
  | 'LISTENER_THREW'
  | 'NO_LISTENER'
  | 'NO_PONG'
  | 'ITERATOR_OVERFLOW'
  | 'OVERFLOW'
  | 'HELLO_TIMEOUT'
  | 'SESSION_ENDED'
  | 'SERVER_FAILED'
  | 'HANDLER_TIMEOUT'
  | 'LISTENER_TIMEOUT'
  | 'UPGRADE_REFUSED'
  | 'UPGRADE_IGNORED'
  | 'COOKIES_WITHHELD'
  | 'TOO_MANY'
  | 'NOT_LISTENING'
  | 'MEMORY_NOT_SHARED'
  | 'RETRY_LATER'

/** What was thrown, in words: whatever it is, since even an error may refuse to be printed. */
export function textOf(thrown: unknown): string {
  try {
    return String(thrown)
  } catch {
    return 'something without words'
  }
}

/** The base of the family. `code` is stable; `message` is for people and may change. */
export class HoldfastError extends Error {
  override readonly name: string = 'HoldfastError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }

  /**
   * True of each error of the family, also of one that another copy of this package has made: where `import` gets one
   * copy and `require` another, `instanceof` is false between them.
   *
   * @example if (thrown?.isHoldfastError) console.log(thrown.code)
   */
  get isHoldfastError(): true {
    return true
  }
}

/** Whether it is one of the family, of this copy of the package or of another. */
export const isHoldfastError = (thrown: unknown): thrown is HoldfastError =>
  !!(thrown as Partial<HoldfastError> | null | undefined)?.isHoldfastError

/** An attempt failed before the connection was usable. Codes: `URL_FAILED`, `AUTH_FAILED`, `UNREACHABLE`, `CONNECT_TIMEOUT`. */
export class ConnectError extends HoldfastError {
  override readonly name = 'ConnectError'
}

/**
 * A connection that had worked has ended. Codes: `HEARTBEAT_TIMEOUT`, `CONNECTION_CLOSED`.
 * `closeCode` and `closeReason` are what the browser reported (RFC 6455 section 7.1.5), or what we closed with.
 */
export class ConnectionLostError extends HoldfastError {
  override readonly name = 'ConnectionLostError'

  constructor(
    code: ErrorCode,
    message: string,
    readonly closeCode: number,
    readonly closeReason: string,
  ) {
    super(code, message)
  }
}

/**
 * Final: the client has stopped. Codes: `UNAUTHORIZED`, `REFUSED_BY_SERVER`, `PROTOCOL_MISMATCH`, `BLOCKED_BY_BROWSER`,
 * `BAD_URL`, `REFUSED_BY_URL`, `ATTEMPTS_EXHAUSTED`; at the server `FORBIDDEN`. Thrown by `url` or `auth` it stops the client.
 */
export class RefusedError extends HoldfastError {
  override readonly name = 'RefusedError'
}

/** By its name and not its class: the application's may come from another copy of this package. */
export const isRefusal = (thrown: unknown): thrown is RefusedError =>
  (thrown as Partial<Error> | null | undefined)?.name === 'RefusedError'

/** Thrown by `send` at the call. Codes: `NOT_ENCODABLE`, `TOO_LARGE`. Nothing was queued. */
export class LocalProtocolError extends HoldfastError {
  override readonly name = 'LocalProtocolError'
}

/** The peer broke the dialect's rules. Codes: `BAD_FRAME`, `SEQUENCE_GAP`, `BAD_ACK`, `RATE_LIMITED`. */
export class RemoteProtocolError extends HoldfastError {
  override readonly name = 'RemoteProtocolError'
}

/**
 * One message was not delivered.
 * Codes: `EXPIRED`, `INVALIDATED`, `OUTBOX_FULL`, `SUPERSEDED`, `REMOVED`, `NOT_CONNECTED`, `NOT_STORED`, `NOT_ACKNOWLEDGED`, `CLIENT_CLOSED`, `TOO_LARGE`;
 * from the server `REJECTED` and `NO_HANDLER`; of a request `REQUEST_TIMEOUT`, `REQUEST_ABORTED`, `RESULT_LOST`.
 */
export class DeliveryError extends HoldfastError {
  override readonly name = 'DeliveryError'
}

/** The outbox's store failed. Codes: `STORAGE_UNAVAILABLE`, `STORAGE_FULL`, `STORAGE_FAILED`, `STORAGE_RESET`; `cause` has the browser's error. */
export class StorageError extends HoldfastError {
  override readonly name = 'StorageError'
}

/** An application's listener threw, or its promise was rejected: `cause` is what it threw. Code: `LISTENER_THREW`. */
export class ListenerError extends HoldfastError {
  override readonly name = 'ListenerError'
}
