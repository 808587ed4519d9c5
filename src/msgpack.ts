/** The door `holdfast/msgpack`: re-exports only. */
export { msgpack } from './protocol/msgpack.js'
export type { Codec } from './protocol/codec.js'
export type { CompanionCodec } from './protocol/frame-codec.js'
