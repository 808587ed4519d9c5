import { useEffect, useMemo, useRef, useSyncExternalStore } from 'react'
import type { Client } from '../client/api.js'
import type { Contract, EventName, FromServer, Untyped } from '../shared/contract.js'
import { INITIAL_STATE, type ClientState } from '../client/snapshot.js'
import { createReader } from './reader.js'

/**
 * The door `holdfast/react`. The client lives outside React: make it once, beside your components, and hand it to
 * these hooks. They only read and listen, so that StrictMode's second mount, a render on a server, or an abandoned
 * concurrent render opens no second connection. Where there is no client, as on a server that makes none, they take
 * `null` or `undefined`: the state is then `idle`, and no event comes.
 */

/** A client, or none while a server renders. */
type Maybe<C extends Contract> = Client<C> | null | undefined

const subscribeToNothing = (): (() => void) => () => {}
const pendingOf = ({ pending }: ClientState): number => pending

/**
 * The client's state, for rendering, and never another one in two components of one render. The component renders again
 * when something changes that it has read of the state: one that shows `status` does not render for every message.
 * Whoever takes the state as a whole, as `{ ...state }` does, has read everything.
 *
 * @example const { status } = useConnection(client)
 */
export function useConnection<C extends Contract = Untyped>(client: Maybe<C>): ClientState
/**
 * What `select` makes of the client's state. The component renders again when that is another value, as `Object.is`
 * has it: for a `select` that makes a new object each time, with every change of the state.
 *
 * @example const isOnline = useConnection(client, ({ status }) => status === 'connected')
 */
export function useConnection<Selected, C extends Contract = Untyped>(
  client: Maybe<C>,
  select: (state: ClientState) => Selected,
): Selected
export function useConnection<C extends Contract>(client: Maybe<C>, select?: (state: ClientState) => unknown): unknown {
  const read = useMemo(() => createReader(select), [select])
  return useSyncExternalStore(
    client?.subscribe ?? subscribeToNothing,
    () => read(client?.getState() ?? INITIAL_STATE),
    () => read(INITIAL_STATE),
  )
}

/**
 * How many messages are not yet delivered. Renders again only when this number changes.
 *
 * @example const pending = usePending(client)
 */
export function usePending<C extends Contract = Untyped>(client: Maybe<C>): number {
  return useConnection(client, pendingOf)
}

/**
 * Calls `listener` with every such event from the server while the component is mounted: with the listener of the
 * last render, so that it sees fresh props and state. A burst of events is a burst of calls; none is merged away.
 *
 * @example useEvent(client, 'message', (message) => setMessages((all) => [...all, message]))
 */
export function useEvent<C extends Contract, Name extends EventName<FromServer<C>>>(
  client: Maybe<C>,
  event: Name,
  listener: (payload: FromServer<C>[Name]) => unknown,
): void {
  const latest = useRef(listener)
  useEffect(() => {
    latest.current = listener
  })
  useEffect(() => client?.on(event, (payload) => latest.current(payload)), [client, event])
}
