import { WebSocket as NodeWebSocket } from 'ws'
import type { WebSocketClass } from '../../src/platform/transport.js'

type Listener = (event: Record<string, unknown>) => void

/**
 * React Native's WebSocket, as its class is written in JavaScript over a native module, with the package "ws" in the place of
 * that module. It has no `bufferedAmount`, only declares it; its events have no `timeStamp`, and cannot be stopped; what is
 * binary comes as an ArrayBuffer, or fails where `binaryType` is `blob` and there is no module for blobs.
 *
 * Source: react-native 0.76.5, Libraries/WebSocket/WebSocket.js.
 */
class ReactNativeWebSocket {
  static readonly CONNECTING = 0
  static readonly OPEN = 1
  static readonly CLOSING = 2
  static readonly CLOSED = 3
  readonly CONNECTING = 0
  readonly OPEN = 1
  readonly CLOSING = 2
  readonly CLOSED = 3
  readonly bufferedAmount = undefined
  protocol: string | undefined
  readyState = 0
  readonly #listeners = new Map<string, Set<Listener>>()
  readonly #native: NodeWebSocket

  constructor(
    readonly url: string,
    protocols?: string | string[],
  ) {
    this.#native = new NodeWebSocket(url, protocols ?? [], { perMessageDeflate: false })
    this.#native.on('open', () => {
      this.readyState = 1
      this.protocol = this.#native.protocol
      this.#dispatch('open', {})
    })
    this.#native.on('message', (data: Buffer, isBinary) => {
      const bytes = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength)
      this.#dispatch('message', { data: isBinary ? bytes : data.toString() })
    })
    this.#native.on('error', ({ message }) => {
      this.readyState = 3
      this.#dispatch('error', { message })
    })
    this.#native.on('close', (code, reason) => {
      this.readyState = 3
      this.#dispatch('close', { code, reason: reason.toString() })
    })
  }

  get binaryType(): string {
    return 'arraybuffer'
  }

  set binaryType(type: string) {
    if (type !== 'arraybuffer') throw new Error('Native module BlobModule is required for blob support')
  }

  addEventListener(type: string, listener: Listener): void {
    this.#listeners.set(type, (this.#listeners.get(type) ?? new Set()).add(listener))
  }

  removeEventListener(type: string, listener: Listener): void {
    this.#listeners.get(type)?.delete(listener)
  }

  send(data: string | ArrayBuffer | ArrayBufferView): void {
    if (this.readyState === 0) throw new Error('INVALID_STATE_ERR')
    this.#native.send(data)
  }

  close(code = 1000, reason = ''): void {
    if (this.readyState > 1) return
    this.readyState = 2
    this.#native.close(code, reason)
  }

  #dispatch(type: string, fields: Record<string, unknown>): void {
    for (const listener of [...(this.#listeners.get(type) ?? [])]) listener({ type, target: this, ...fields })
  }
}

/** The class has what is used of the browser's, with other types. */
export const ReactNative = ReactNativeWebSocket as unknown as WebSocketClass
