import type { Socket } from 'node:net'

/** One direction of a fault proxy: what is wrong with it now, and what it has carried. Shared by all its pipes. */
export interface Lane {
  isBlackholed: boolean
  delayMs: number
  jitterMs: number
  random: () => number
  bytesPerSecond: number
  sliceBytes: number
  /** When `forwardedBytes` reaches this, `onCut` is called. */
  cutAtBytes: number
  onCut: () => void
  forwardedBytes: number
  droppedBytes: number
}

/** A direction without faults. */
export function createLane(): Lane {
  return { ...noFaults(), onCut: () => {}, forwardedBytes: 0, droppedBytes: 0 }
}

/** What heals a lane. */
export function noFaults(): Omit<Lane, 'onCut' | 'forwardedBytes' | 'droppedBytes'> {
  return {
    isBlackholed: false,
    delayMs: 0,
    jitterMs: 0,
    random: () => 0,
    bytesPerSecond: Infinity,
    sliceBytes: Infinity,
    cutAtBytes: Infinity,
  }
}

interface Parcel {
  readonly content: Buffer | 'fin' | 'reset'
  readonly dueAt: number
}

/** Past this, a pipe stops reading until it has forwarded some, so that its own sender feels the back-pressure. */
const QUEUED_BYTES_MAX = 1024 * 1024
const THROTTLE_STEP_MS = 10

/**
 * Carries one direction of one connection from a socket to another, as its lane's faults allow.
 * Bytes, FIN and RST wait in one queue, so no fault changes their order.
 */
export class FaultPipe {
  readonly #source: Socket
  readonly #destination: Socket
  readonly #lane: Lane
  #queue: Parcel[] = []
  #queuedBytes = 0
  /** When the throttle lets the next bytes through. */
  #openAt = 0
  #isSevered = false
  #cancelWait: () => void = () => {}

  constructor(source: Socket, destination: Socket, lane: Lane) {
    this.#source = source
    this.#destination = destination
    this.#lane = lane
    // Paused before the listener is added, which would set it flowing.
    if (lane.isBlackholed) source.pause()
    source.on('data', (bytes: Buffer) => this.#receive(bytes))
    source.on('end', () => this.#push('fin'))
    source.on('error', () => this.#push('reset'))
    destination.on('drain', () => this.update())
    destination.on('close', () => this.drop())
  }

  /** Forwards what may be forwarded now. To be called whenever the lane has changed. */
  update(): void {
    this.#cancelWait()
    if (this.#isSevered) return
    if (this.#lane.isBlackholed) {
      this.#source.pause()
      return
    }

    while (!this.#destination.writableNeedDrain) {
      const [parcel] = this.#queue
      if (parcel === undefined) break
      const waitMs = Math.max(this.#lane.delayMs > 0 ? parcel.dueAt : 0, this.#openAt) - performance.now()
      if (waitMs > 0) {
        this.#wait(waitMs)
        break
      }
      if (!this.#forward(parcel)) return
    }
    if (this.#queuedBytes < QUEUED_BYTES_MAX) this.#source.resume()
  }

  /** Ends the destination with a FIN. What is queued, and what the source still sends, is dropped and counted. */
  cut(): void {
    this.drop()
    this.#destination.end()
  }

  /** Forwards nothing more. */
  drop(): void {
    this.#cancelWait()
    this.#isSevered = true
    this.#lane.droppedBytes += this.#queuedBytes
    this.#queue = []
    this.#queuedBytes = 0
    // Whoever reads on sees the source's FIN, and its socket can close.
    this.#source.resume()
  }

  #receive(bytes: Buffer): void {
    if (this.#isSevered) {
      this.#lane.droppedBytes += bytes.length
      return
    }
    this.#queuedBytes += bytes.length
    if (this.#queuedBytes >= QUEUED_BYTES_MAX) this.#source.pause()
    this.#push(bytes)
  }

  #push(content: Parcel['content']): void {
    if (this.#isSevered) return
    const { delayMs, jitterMs, random } = this.#lane
    this.#queue.push({ content, dueAt: performance.now() + delayMs + random() * jitterMs })
    // With others before it, the pipe already waits for something that will make it go on.
    if (this.#queue.length === 1) this.update()
  }

  /** Returns false when the pipe has to pause, or is at its end. */
  #forward(parcel: Parcel): boolean {
    this.#queue.shift()
    if (parcel.content === 'fin') {
      this.#destination.end()
      return false
    }
    if (parcel.content === 'reset') {
      this.#destination.resetAndDestroy()
      return false
    }

    const piece = parcel.content.subarray(0, this.#pieceBytesMax())
    const rest = parcel.content.subarray(piece.length)
    if (rest.length > 0) this.#queue.unshift({ content: rest, dueAt: parcel.dueAt })
    this.#queuedBytes -= piece.length
    this.#destination.write(piece)
    this.#openAt = performance.now() + (piece.length / this.#lane.bytesPerSecond) * 1000
    this.#lane.forwardedBytes += piece.length
    if (this.#lane.forwardedBytes >= this.#lane.cutAtBytes) {
      this.#lane.onCut()
      return false
    }
    if (this.#lane.sliceBytes === Infinity) return true
    this.#wait(0)
    return false
  }

  #pieceBytesMax(): number {
    const { bytesPerSecond, sliceBytes, cutAtBytes, forwardedBytes } = this.#lane
    const stepBytes = Math.max(1, Math.floor((bytesPerSecond * THROTTLE_STEP_MS) / 1000))
    return Math.min(sliceBytes, stepBytes, cutAtBytes - forwardedBytes)
  }

  #wait(waitMs: number): void {
    if (waitMs > 0) {
      const timer = setTimeout(() => this.update(), waitMs)
      this.#cancelWait = () => clearTimeout(timer)
      return
    }
    const immediate = setImmediate(() => this.update())
    this.#cancelWait = () => clearImmediate(immediate)
  }
}
