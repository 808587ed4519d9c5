import type { Socket } from 'node:net'

/** How much of one socket is held back at most, in bytes: more would only wait. */
const HELD_BYTES_MAX = 64 * 1024

/** Holds back what is written to a socket until the end of the turn, so that it leaves in one system call. */
export class TurnCork {
  readonly #socket: Pick<Socket, 'cork' | 'uncork' | 'writableLength'>
  #isCorked = false

  constructor(socket: Pick<Socket, 'cork' | 'uncork' | 'writableLength'>) {
    this.#socket = socket
  }

  /** Call it before each write. */
  cork(): void {
    if (this.#isCorked) {
      if (this.#socket.writableLength < HELD_BYTES_MAX) return
      this.#socket.uncork()
    } else {
      this.#isCorked = true
      if (corked.push(this) === 1) process.nextTick(uncorkAll)
    }
    this.#socket.cork()
  }

  uncork(): void {
    this.#isCorked = false
    this.#socket.uncork()
  }
}

let corked: TurnCork[] = []

/** One tick for all the sockets: a message to a room goes into hundreds. */
function uncorkAll(): void {
  const all = corked
  corked = []
  for (const one of all) one.uncork()
}
