export { createEchoServer } from './echo.js'
export { memoryStreams } from './memory-streams.js'
export { createServer } from './server.js'
export type { EndReason, MessageContext, Payload, ServerEvents, Session, SessionEvents, Target } from './api.js'
export type { EchoServer, EchoServerOptions } from './echo.js'
export type { DrainOptions } from './engine.js'
export type { ListenOptions, ServerAddress } from './listen.js'
export type { MemoryStreamsOptions } from './memory-streams.js'
export type { Credential, EngineOptions, Identity, LimitOptions, Limits, UpgradeRequest } from './options.js'
export type { Server, ServerOptions } from './server.js'
export type {
  Attached,
  AttachRequest,
  LostReason,
  MaybePromise,
  StreamEntry,
  StreamMessage,
  Streams,
  StreamsPlatform,
  StreamStore,
} from './streams.js'
