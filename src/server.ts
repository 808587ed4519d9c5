export { createEchoServer } from './server/echo/echo-server.js'
export { memoryStreams } from './server/stores/memory-streams.js'
export { RejectedError, RetryError } from './server/base/handler-errors.js'
export { createServer } from './server/http/server.js'
export type { MaybePromise } from './shared/maybe-promise.js'
export type {
  DisconnectOptions,
  EndReason,
  Group,
  HandleOptions,
  MessageContext,
  Payload,
  RoomEvent,
  ServerEvents,
  Session,
  SessionControl,
  SessionEvents,
  SessionFilter,
  SessionView,
  Target,
} from './server/base/api.js'
export type { EchoServer, EchoServerOptions } from './server/echo/echo-server.js'
export type { DrainOptions } from './server/engine/engine.js'
export type { AttachableServer, ListenOptions, ServerAddress } from './server/http/listen-options.js'
export type { MemoryStreamsOptions } from './server/stores/memory-streams.js'
export type { Credential, EngineOptions, Identity, LimitOptions, Limits } from './server/base/options.js'
export type { Origins } from './server/base/origins.js'
export type { TrustProxy } from './server/base/proxies.js'
export type { UpgradeRequest } from './server/base/upgrade-request.js'
export type { Server, ServerOptions } from './server/http/server.js'
export type {
  Attached,
  AttachRequest,
  LostReason,
  StreamEntry,
  StreamMessage,
  Streams,
  StreamsPlatform,
  StreamStore,
} from './server/stores/stream-store.js'
