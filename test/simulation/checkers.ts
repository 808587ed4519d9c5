import { strict as assert } from 'node:assert'
import type { Delivery } from '../../src/index.js'
import type { Disk } from './disk.js'
import type { Network } from './network.js'
import type { Page } from './run.js'
import type { World } from './world.js'

/** One message that a page sent. */
interface Sent {
  readonly page: Page
  readonly body: string
  readonly delivery: Delivery
  readonly isVolatile: boolean
  isSettled: boolean
}

/** Holds the library to its promises for a plain server. Each check says in its message which promise is broken. */
export interface Checker {
  watch(page: Page): void
  sent(page: Page, body: string, delivery: Delivery, isVolatile: boolean): void
  /** Nothing kept this message from leaving with its page. */
  left(body: string, delivery: Delivery): void
  crashed(page: Page): void
  closing(page: Page, closed: Promise<void>): void
  /** The faults have stopped a while ago: everything must be at rest. */
  rest(pages: readonly Page[]): void
  /** All pages are closed: everything must have settled. */
  end(pages: readonly Page[]): void
}

export function createChecker(world: World, network: Network, disk: Disk, isDurable: boolean): Checker {
  const messages = new Map<string, Sent>()
  const crashedPages = new Set<Page>()
  const closedPages = new Set<Page>()
  /** What a page that died had sent and not yet struck off the disk: its heir sends it again. */
  const maybeTwice = new Set<string>()
  const stored = new Set<string>()
  /** Ids of what failed, in the page that sent it or in the one that adopted it. */
  const failed = new Set<string>()
  const delivered = new Set<string>()
  const received = new Map<string, number>()
  let failure: Error | undefined

  /** Called from within the library, where a throw would be caught: kept until the run looks. */
  function check(condition: unknown, message: string): void {
    if (!condition) failure ??= new Error(message)
  }

  function look(): void {
    if (failure) throw failure
  }

  const isGone = (sent: Sent): boolean => crashedPages.has(sent.page)

  return {
    watch(page) {
      const { client } = page
      client.lifecycle.on('state', ({ status }) => {
        world.note(`${page.name} ${status}`)
        check(network.openLinks(page.name) <= 1, 'a page has two sockets')
      })
      client.lifecycle.on('stored', ({ id }) => stored.add(id))
      client.lifecycle.on('failed', ({ id, error }) => {
        check(error, `${id} failed without a reason`)
        failed.add(id)
      })
      client.lifecycle.on('delivered', (delivery) => {
        const { body } = (delivery as unknown as { message: { body: string } }).message
        const isLeaving = network.left.has(body) || network.isParting(page.name)
        check(isLeaving, `${body} is called delivered and never left the browser`)
        delivered.add(body)
      })
      client.on('number', (value) => {
        const sent = messages.get(String(value)) as Sent
        if (sent.page !== page || sent.isVolatile) return
        const last = received.get(page.name) ?? 0
        check(Number(value) > last, 'an echo came out of order')
        received.set(page.name, Number(value))
      })
    },
    sent(page, body, delivery, isVolatile) {
      world.note(`${page.name} sends ${body}${isVolatile ? ' volatile' : ''}`)
      const sent: Sent = { page, body, delivery, isVolatile, isSettled: false }
      messages.set(body, sent)
      const settle = (): void => void (sent.isSettled = true)
      delivery.delivered.then(settle, settle)
      delivery.stored.catch(() => {})
    },
    left(body, { status }) {
      check(status === 'delivered', `${body} has left with its page, and is ${status}`)
    },
    crashed(page) {
      crashedPages.add(page)
      for (const body of network.left) if (disk.has(body)) maybeTwice.add(body)
      for (const item of page.client.outbox.list()) maybeTwice.add(String(item.body))
    },
    closing(page, closed) {
      void closed.then(
        () => {
          closedPages.add(page)
          // Who closes in a listener is told nothing more: of what it had adopted, this list tells.
          for (const { id } of page.client.outbox.failed()) failed.add(id)
        },
        (error: unknown) => check(false, `close() was rejected: ${String(error)}`),
      )
    },
    rest(pages) {
      look()
      for (const page of pages) {
        const state = page.client.getState()
        assert.equal(state.status, 'connected', `${page.name} is not connected long after the faults stopped`)
        assert.equal(state.pending, 0, `${page.name} still has ${state.pending} messages`)
        assert.ok(page.browser.timers <= 1, `${page.name} has ${page.browser.timers} timers`)
      }
      assert.equal(disk.size, 0, 'the disk still holds messages')
      for (const body of delivered) assert.ok(network.left.has(body), `${body} is called delivered and never left`)
      const counts = new Map<string, number>()
      for (const body of network.arrived) counts.set(body, (counts.get(body) ?? 0) + 1)
      const lastOf = new Map<Page, number>()
      for (const body of counts.keys()) {
        const { page, isVolatile } = messages.get(body) as Sent
        if (isVolatile) continue
        assert.ok(Number(body) > (lastOf.get(page) ?? 0), `${body} arrived out of order`)
        lastOf.set(page, Number(body))
      }
      for (const sent of messages.values()) {
        const { body, delivery, isVolatile } = sent
        const times = counts.get(body) ?? 0
        assert.ok(times <= 1 || maybeTwice.has(body) || disk.unforgotten.has(body), `${body} arrived ${times} times`)
        if (isVolatile || !stored.has(delivery.id) || times > 0 || network.lost.has(body)) continue
        if (!isDurable && (isGone(sent) || closedPages.has(sent.page))) continue
        // While its client closes, only the delivery tells.
        const isFailed = failed.has(delivery.id) || delivery.status === 'failed'
        assert.ok(isFailed, `${body} was stored and has disappeared`)
      }
    },
    end(pages) {
      look()
      for (const page of pages) {
        assert.ok(closedPages.has(page), `${page.name} never finished closing`)
        assert.equal(page.browser.timers, 0, `${page.name} left a timer behind`)
      }
      for (const sent of messages.values()) {
        assert.ok(sent.isSettled || isGone(sent), `the delivery of ${sent.body} never settled`)
      }
    },
  }
}
