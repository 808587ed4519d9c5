/** How much may be unacknowledged at a time. */
export interface WindowMax {
  readonly messages: number
  readonly bytes: number
}

/** What is unacknowledged on a connection. The sender keeps within it, the receiver checks that it does. */
export interface Window {
  /** Whether `bytes` more may be sent. A single message may exceed the bytes. */
  fits(bytes: number): boolean
  take(bytes: number): void
  give(bytes: number): void
}

export function createWindow(max: WindowMax): Window {
  let messages = 0
  let total = 0

  return {
    fits: (bytes) => messages < max.messages && (messages === 0 || total + bytes <= max.bytes),
    take(bytes) {
      messages++
      total += bytes
    },
    give(bytes) {
      messages--
      total -= bytes
    },
  }
}
