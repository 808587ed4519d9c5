import type { Rejection } from '../../protocol/frames.js'
import type { RunningHandler, WriterLane } from './writer-lane.js'

/** What one connection knows of one writer. */
export class WriterState<Target> {
  readonly lane: WriterLane<Target>
  /** The highest sequence that was received or is done. */
  last: number
  /** Up to here the client knows the outcome. */
  toldUpTo: number
  /** Requests up to here were answered before: in the stream that goes on, or in one that the client cannot read. */
  readonly answeredBefore: number
  /** The last messages that ran since the writer was named here, one after the other: their replies are in this stream. */
  #answeredFrom: number
  #answeredTo: number

  /**
   * @param goesOnAt the sequence of the client's next message
   * @param isCovered whether the welcome contains the cursor; the client counts as lost what the cursor covers
   * @param isResumed whether a stream goes on, with the replies that it holds
   */
  constructor(lane: WriterLane<Target>, goesOnAt: number, isCovered: boolean, isResumed: boolean) {
    const { n } = lane.cursor
    const running = lane.running?.sequence
    this.lane = lane
    this.last = Math.max(n, Math.min(running ?? 0, goesOnAt - 1))
    this.toldUpTo = isCovered ? n : Math.min(n, goesOnAt - 1)
    this.answeredBefore = isCovered && !isResumed ? 0 : n
    this.#answeredFrom = running ?? n + 1
    this.#answeredTo = running ?? n
  }

  /** Messages of the writer that only another connection has received must not be acknowledged here. */
  get handledUpTo(): number {
    return Math.min(this.lane.cursor.n, this.last)
  }

  /** The handler that runs replies here. */
  joined({ sequence }: RunningHandler<Target>): void {
    if (sequence !== this.#answeredTo + 1) this.#answeredFrom = sequence
    this.#answeredTo = sequence
  }

  /** Whether a handler that ran since the writer was named here has replied to it. */
  isAnswered(sequence: number): boolean {
    return sequence >= this.#answeredFrom && sequence <= this.#answeredTo
  }

  /** The rejections up to `sequence` that the client does not know, which count as told from now on. */
  tell(sequence: number): readonly Rejection[] {
    const { rejected } = this.lane.cursor
    const { toldUpTo } = this
    this.toldUpTo = Math.max(toldUpTo, sequence)
    return rejected.length ? rejected.filter(([, one]) => one > toldUpTo && one <= sequence) : rejected
  }
}
