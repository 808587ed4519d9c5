import type { Body } from '../../protocol/codec.js'
import type { StreamEntry, StreamMessage } from '../stores/stream-store.js'

/** The frames of all streams. Of an entry that goes to many clients, all but its number and its tag is encoded once. */
export class StreamFrames {
  #head: StreamEntry['head'] | undefined = undefined
  #payload: Body = ''
  #start = ''
  #end = ''

  write({ head, payload, sequence, tag }: StreamMessage): Body {
    if (head !== this.#head || payload !== this.#payload) this.#prepare(head, payload)
    return `${this.#start}${sequence},"g":"${tag}"${this.#end}`
  }

  /** A head with a number, a tag and a payload is a frame of its type. */
  #prepare(head: StreamEntry['head'], payload: Body): void {
    this.#start = `${JSON.stringify(head).slice(0, -1)},"s":`
    this.#end = payload === '' ? '}' : `,"d":${String(payload)}}`
    this.#head = head
    this.#payload = payload
  }
}
