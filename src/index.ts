/** The door `holdfast`: re-exports only. */
export { createClient } from './client/client.js'
export { warnBeforeUnload } from './client/warn-before-unload.js'
export type { Client, CloseOptions, LifecycleEvents } from './client/api.js'
export type {
  Contract,
  EventName,
  FromServer,
  Params,
  RequestOptions,
  Requests,
  Result,
  SendOptions,
  ToServer,
  Untyped,
} from './shared/contract.js'
export type {
  ClientProtocol,
  DialContext,
  Dialect,
  Gap,
  OutgoingFrame,
  ProtocolEvent,
  ProtocolHost,
  ReadyEvent,
} from './dialects/dialect.js'
export { plain } from './dialects/plain/plain.js'
export type { PlainOptions } from './dialects/plain/plain.js'
export type { SubprotocolProvider } from './dialects/plain/subprotocols.js'
export { reliable } from './dialects/reliable/reliable.js'
export type { ReliableOptions } from './dialects/reliable/reliable.js'
export {
  ConnectError,
  ConnectionLostError,
  DeliveryError,
  HoldfastError,
  ListenerError,
  LocalProtocolError,
  RefusedError,
  RemoteProtocolError,
  StorageError,
} from './shared/errors.js'
export type { ErrorCode } from './shared/errors.js'
export type { IterateOptions, ListenOptions } from './shared/emitter.js'
export type { AuthSource, ClientOptions, UrlProvider, UrlSource } from './client/options.js'
export type { Delivery, DeliveryStatus, Receipt } from './outbox/delivery.js'
export { memoryStore } from './outbox/stores/memory-store.js'
export type { OutboxItem } from './outbox/outbox-item.js'
export { persistent, type PersistentOptions } from './outbox/persistence.js'
export type { Outgoing } from './outbox/outbox-api.js'
export type { Durability, OutboxStorage } from './outbox/storage.js'
export type { OutboxMax, Overflow } from './outbox/overflow.js'
export {
  ALL_SENT,
  type MessageReference,
  type OutboxBatch,
  type OutboxStore,
  type StoredMessage,
} from './outbox/store.js'
export type { MaybePromise } from './shared/maybe-promise.js'
export type { Notes, Platform } from './platform/platform.js'
export type { CloseAdvice } from './protocol/close-codes.js'
export { json, text } from './protocol/codec.js'
export type { Body, Codec, Message, Received } from './protocol/codec.js'
export type { RetryDelay } from './connection/backoff.js'
export type { Heartbeat } from './protocol/heartbeat.js'
export type { ClientState } from './client/snapshot.js'
export type { Signal } from './platform/page-lifecycle.js'
export type { Transport, TransportListener, WebSocketClass } from './platform/transport.js'
