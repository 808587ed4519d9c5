import { useEffect, useRef, useSyncExternalStore } from 'react'
import type { Client } from '../client/api.js'
import type { Contract, EventName, FromServer, Untyped } from '../shared/contract.js'
import { INITIAL_STATE, type ClientState } from '../client/snapshot.js'

/**
 * The door `holdfast/react`. The client lives outside React: make it once, beside your components, and hand it to
 * these hooks. They only read and listen, so that StrictMode's second mount, a render on a server, or an abandoned
 * concurrent render opens no second connection.
 */

const initialState = (): ClientState => INITIAL_STATE
const nothingPending = (): number => 0

/**
 * The client's state, for rendering. Renders again when it changes, and never shows two components different states in
 * one render.
 *
 * @example const { status, pending } = useConnection(client)
 */
export function useConnection<C extends Contract = Untyped>(client: Client<C>): ClientState {
  return useSyncExternalStore(client.subscribe, client.getState, initialState)
}

/**
 * How many messages are not yet delivered. Renders again only when this number changes.
 *
 * @example const pending = usePending(client)
 */
export function usePending<C extends Contract = Untyped>(client: Client<C>): number {
  return useSyncExternalStore(client.subscribe, () => client.getState().pending, nothingPending)
}

/**
 * Calls `listener` with every such event from the server while the component is mounted: with the listener of the
 * last render, so that it sees fresh props and state. A burst of events is a burst of calls; none is merged away.
 *
 * @example useEvent(client, 'message', (message) => setMessages((all) => [...all, message]))
 */
export function useEvent<C extends Contract, Name extends EventName<FromServer<C>>>(
  client: Client<C>,
  event: Name,
  listener: (payload: FromServer<C>[Name]) => unknown,
): void {
  const latest = useRef(listener)
  useEffect(() => {
    latest.current = listener
  })
  useEffect(() => client.on(event, (payload) => latest.current(payload)), [client, event])
}
