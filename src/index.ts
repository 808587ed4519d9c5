/** The door `holdfast`: re-exports only. */
export { createClient } from './client.js'
export type { Client, CloseOptions, LifecycleEvents } from './surface.js'
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
} from './contract.js'
export type { Channel, Dialect, Gap, Host, Link, Meaning, Queue } from './dialects/dialect.js'
export { plain } from './dialects/plain.js'
export type { PlainOptions } from './dialects/plain.js'
export { reliable } from './dialects/reliable.js'
export type { ReliableOptions } from './dialects/reliable.js'
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
} from './errors.js'
export type { ErrorCode } from './errors.js'
export type { IterateOptions, ListenOptions } from './events.js'
export type { AuthSource, ClientOptions, DialContext, UrlSource } from './options.js'
export type { Delivery, DeliveryStatus, Receipt } from './outbox/delivery.js'
export { memoryStore } from './outbox/memory-store.js'
export type { OutboxItem } from './outbox/item.js'
export type { OutboxMax, Overflow } from './outbox/policy.js'
export type { MaybePromise, MessageReference, OutboxBatch, OutboxStore, StoredMessage } from './outbox/store.js'
export type { Platform } from './platform.js'
export type { CloseAdvice } from './protocol/close-codes.js'
export { json, text } from './protocol/codec.js'
export type { Body, Codec, Message, Received } from './protocol/codec.js'
export type { RetryDelay } from './session/backoff.js'
export type { Heartbeat } from './session/liveness.js'
export type { ClientState } from './snapshot.js'
export type { Signal } from './transport/signals.js'
export type { Transport, TransportListener, WebSocketClass } from './transport/transport.js'
