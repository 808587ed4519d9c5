import { askBeforeUnload } from '../platform/unload-question.js'
import type { Client } from './api.js'

/**
 * Lets the browser ask the user before the page is closed, reloaded or left, while something is pending that would be lost
 * with it: `getState().pending` is more than 0 and `getState().durable` is false. At all other times it binds no
 * listener, which in some browsers keeps a page out of the back/forward cache.
 *
 * The browser has words of its own for the question, and asks nothing on a page that the user never touched. On phones it
 * often asks nothing at all: there `indexedDbStore` is the way to lose nothing.
 *
 * @returns a function that ends it
 * @example const stop = warnBeforeUnload(client)
 */
export function warnBeforeUnload(client: Pick<Client, 'getState' | 'subscribe'>): () => void {
  let stopAsking: (() => void) | undefined

  function update(isOver = false): void {
    const { pending, durable } = client.getState()
    if (!isOver && pending > 0 && !durable) stopAsking ??= askBeforeUnload()
    else {
      stopAsking?.()
      stopAsking = undefined
    }
  }

  update()
  const unsubscribe = client.subscribe(() => update())
  return () => {
    unsubscribe()
    update(true)
  }
}
