import type { Contract, EventName, FromServer } from '../../shared/contract.js'
import type { Group, Payload } from '../base/api.js'
import type { EngineContext, Member } from '../base/context.js'
import type { VolatileMessage } from '../base/wire.js'
import { requireName } from '../session/handlers.js'

/** The receivers of a message, found anew for each. What it says is encoded once, whatever their number. */
export class SessionGroup<C extends Contract> implements Group<C> {
  readonly #context: Pick<EngineContext, 'codec' | 'shared'>
  readonly #members: () => Iterable<Member>
  readonly #isRoom: boolean

  /** @param isRoom whether they are the members of a room, into which a session must have been put */
  constructor(context: Pick<EngineContext, 'codec' | 'shared'>, members: () => Iterable<Member>, isRoom: boolean) {
    this.#context = context
    this.#members = members
    this.#isRoom = isRoom
  }

  send<Name extends EventName<FromServer<C>>>(event: Name, ...[data]: Payload<FromServer<C>[Name]>): void {
    requireName(event)
    const entry = { head: { t: 'm', e: event }, payload: this.#context.codec.encode(event, data) } as const
    this.#context.shared.note(this.#isRoom)
    for (const member of this.#members()) member.append(entry)
  }

  volatile<Name extends EventName<FromServer<C>>>(event: Name, ...[data]: Payload<FromServer<C>[Name]>): void {
    requireName(event)
    const message: VolatileMessage = { event, payload: this.#context.codec.encode(event, data) }
    for (const member of this.#members()) member.sendVolatile(message)
  }

  except(...sessions: readonly { readonly id: string }[]): Group<C> {
    const ids = new Set(sessions.map(({ id }) => id))
    const others = (): Member[] => [...this.#members()].filter(({ id }) => !ids.has(id))
    return new SessionGroup<C>(this.#context, others, this.#isRoom)
  }
}
