import type { ProtocolEvent } from '../dialects/dialect.js'
import { ACKNOWLEDGED, type Entry } from '../outbox/delivery.js'
import type { Outbox } from '../outbox/outbox-api.js'
import type { Requests } from '../outbox/requests.js'

/** What the server says of our own messages and requests. */
type DeliveryEvent = Extract<ProtocolEvent, { type: 'acknowledged' | 'done' | 'reply' | 'repliesLost' | 'rewind' }>

/** Applies what the server says of our own messages to those who keep them. */
export function applyDelivery(event: DeliveryEvent, outbox: Outbox, requests: Requests | undefined): void {
  switch (event.type) {
    case 'acknowledged': {
      const { cursors, rejections, areRepliesLost } = event
      // A request that was not repeated yet is repeated all the same: its reply may be lost, and the server tells only then.
      const isDone = ({ writer, sequence, isRequest, place }: Entry): boolean =>
        sequence <= (cursors.get(writer) ?? 0) && (areRepliesLost || !isRequest || place !== 'waiting')
      return void outbox.settle(isDone, ACKNOWLEDGED, rejections)
    }
    case 'done':
      return outbox.finish(event.entry, event.receipt, event.error)
    case 'reply':
      return requests?.reply(event.id, event.reply)
    case 'repliesLost':
      return requests?.lose()
    case 'rewind':
      return outbox.rewind()
  }
}
