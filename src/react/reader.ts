import type { ClientState } from '../client/snapshot.js'

type Name = keyof ClientState

/** What a component gets of a state: the same value until something changes that it has read. */
export type Reader = (state: ClientState) => unknown

/** @param select what the component wants of a state; by default the state itself, which then knows what is read of it */
export const createReader = (select: ((state: ClientState) => unknown) | undefined): Reader =>
  select ? createSelection(select) : createView()

/** Selects once for each state: React reads again and again, and wants the same value. */
function createSelection(select: (state: ClientState) => unknown): Reader {
  let last: ClientState | undefined
  let selected: unknown

  return (state) => {
    if (state !== last) selected = select((last = state))
    return selected
  }
}

function createView(): Reader {
  const read = new Set<PropertyKey>()
  let isReadWhole = false
  /** What the view shows. A view that was replaced keeps its own. */
  let shown: { state: ClientState } | undefined
  let view: unknown

  return (state) => {
    const before = shown?.state
    const isOther = (name: PropertyKey): boolean => before?.[name as Name] !== state[name as Name]
    if (shown && !(isReadWhole ? before !== state : [...read].some(isOther))) {
      shown.state = state // What was not read yet is to be as new as the rest.
      return view
    }
    const mine = (shown = { state })
    const whole =
      <Given extends unknown[], Answer>(answer: (state: ClientState, ...given: Given) => Answer) =>
      (_: object, ...given: Given): Answer => {
        isReadWhole = true
        return answer(mine.state, ...given)
      }
    return (view = new Proxy(
      {},
      {
        get(_, name) {
          read.add(name)
          return mine.state[name as Name]
        },
        has: whole(Reflect.has),
        ownKeys: whole(Reflect.ownKeys),
        getOwnPropertyDescriptor: whole((of, name: PropertyKey) => {
          const found = Reflect.getOwnPropertyDescriptor(of, name)
          return found && { ...found, configurable: true } // A proxy of nothing may have no property that is fixed.
        }),
      },
    ))
  }
}
