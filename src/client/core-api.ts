import type { Gap } from '../dialects/dialect.js'
import type { Audience } from '../dialects/listener-waits.js'
import type { Entry } from '../outbox/delivery.js'
import type { Outbox, OutboxNotice } from '../outbox/outbox-api.js'
import type { Requests } from '../outbox/requests.js'
import type { AnswerFailure } from '../shared/emitter.js'
import type { Message } from '../protocol/codec.js'
import type { ClientState } from './snapshot.js'

/** What the application is told. */
export type Notice =
  | OutboxNotice
  /** `replyTo` where the server waits for an answer: it goes to `reply`. */
  | { readonly type: 'message'; readonly message: Message; readonly replyTo?: unknown }
  | { readonly type: 'state'; readonly state: ClientState }
  | { readonly type: 'session'; readonly recovered: boolean }
  | { readonly type: 'gap'; readonly gap: Gap }
  | { readonly type: 'rtt'; readonly rttMs: number }

/** What the application is told with. */
export interface CoreListener {
  /** Called in one place, when all else of the turn is done. Must not throw. */
  tell(notice: Notice): void
  /** Who hears what the server sends; absent: everything is heard. */
  readonly audience?: Audience
  /** Whether somebody is told of sessions: then what waits goes out after that. Absent: nobody. */
  isMeeting?(): boolean
  /** Whether changes of the state are listened to. */
  isWatched(): boolean
  /** The state has changed; once for many changes. */
  notify(): void
}

/** One client: an outbox, a connection, a protocol, one socket and one timer. */
export interface Core {
  readonly outbox: Outbox
  /** Absent where the dialect has none. */
  readonly requests: Requests | undefined
  /** Messages not yet delivered, and requests without a reply. */
  readonly pending: number
  /** Bytes of messages that are accepted and have not left the browser. */
  readonly unsentBytes: number
  state(): ClientState
  /** @throws {TypeError} where there is no WebSocket class */
  connect(): void
  reconnect(): void
  /** Waits for up to `drainMs` for what is pending, then stops for good. */
  close(drainMs: number): Promise<void>
  /** Something was put into the outbox, or taken out of it: ends the turn. */
  progressed(): void
  /** A listener was bound: what waited for it is told. */
  listening(): void
  /** Whether messages are handed to the browser however much waits in its buffer. */
  setUnbounded(isUnbounded: boolean): void
  /** Sends one message past the queue, now or never; one with a key may wait for room. */
  sendVolatile(entry: Entry): void
  /** @throws {LocalProtocolError} `NOT_ENCODABLE` */
  reply(replyTo: unknown, answer: unknown, failure?: AnswerFailure): void
  /** Tells the application something when the turn ends. */
  notify(notice: Notice): void
}
