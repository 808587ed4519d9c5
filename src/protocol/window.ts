/** How much may be unacknowledged at a time. */
export interface WindowMax {
  readonly messages: number
  readonly bytes: number
}

/** What is unacknowledged on a connection. The sender keeps within it, the receiver checks that it does. */
export class MessageWindow {
  readonly #max: WindowMax
  #messages = 0
  #bytes = 0

  constructor(max: WindowMax) {
    this.#max = max
  }

  /** Whether `bytes` more may be sent. A single message may exceed the bytes. */
  fits(bytes: number): boolean {
    if (this.#messages >= this.#max.messages) return false
    return this.#messages === 0 || this.#bytes + bytes <= this.#max.bytes
  }

  take(bytes: number): void {
    this.#messages++
    this.#bytes += bytes
  }

  give(bytes: number): void {
    this.#messages--
    this.#bytes -= bytes
  }

  clear(): void {
    this.#messages = 0
    this.#bytes = 0
  }
}
