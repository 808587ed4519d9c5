import type { Contract, EventName, FromServer } from '../../shared/contract.js'
import { FORBIDDEN } from '../../protocol/close-codes.js'
import { check, withDefaults } from '../../shared/validate.js'
import type {
  DisconnectOptions,
  Group,
  Payload,
  Session,
  SessionControl,
  SessionFilter,
  SessionView,
} from '../base/api.js'
import type { EngineContext } from '../base/context.js'
import type { EngineConnection } from '../connection/connection-host.js'
import { checkClose } from '../session/public-session.js'
import type { ServerSession } from '../session/session.js'
import type { Presence } from './presence.js'
import { SessionGroup } from './session-group.js'
import type { SessionRegistry } from './session-registry.js'

type Context = Pick<EngineContext, 'rooms' | 'codec' | 'shared'>

/**
 * What a server does with many of its sessions. What asks for something is asynchronous, though all of it is known here: in
 * a deployment of many servers the others are asked too.
 */
export class EngineSessionControl<C extends Contract> implements SessionControl<C> {
  readonly #context: Context
  readonly #sessions: SessionRegistry
  readonly #connections: ReadonlySet<EngineConnection>
  readonly #presence: Presence

  constructor(
    context: Context,
    sessions: SessionRegistry,
    connections: ReadonlySet<EngineConnection>,
    presence: Presence,
  ) {
    this.#context = context
    this.#sessions = sessions
    this.#connections = connections
    this.#presence = presence
  }

  to(room: string): Group<C> {
    return new SessionGroup<C>(this.#context, () => this.#context.rooms.members(room), true)
  }

  toUser(user: string): Group<C> {
    return new SessionGroup<C>(this.#context, () => this.#sessions.ofUser(user), false)
  }

  broadcast<Name extends EventName<FromServer<C>>>(event: Name, ...data: Payload<FromServer<C>[Name]>): void {
    new SessionGroup<C>(this.#context, () => this.#sessions.all(), false).send(event, ...data)
  }

  async sessions(filter?: SessionFilter): Promise<SessionView<C>[]> {
    return this.#find(filter).map((session) => viewOf<C>(session))
  }

  async members(room: string): Promise<string[]> {
    this.#presence.start(this.#sessions.away)
    return this.#presence.users(room)
  }

  async disconnect(user: string, reason = 'disconnected', options?: DisconnectOptions): Promise<void> {
    const { code = FORBIDDEN } = withDefaults('disconnect', options, { code: undefined })
    check('user', user, 'a string', typeof user === 'string')
    checkClose(code, reason)
    for (const session of this.#sessions.ofUser(user)) session.close(code, reason)
    // Those that were let in and have no session yet.
    for (const connection of [...this.#connections]) if (connection.client.user === user) connection.close(code, reason)
  }

  #find(filter: SessionFilter | undefined): readonly ServerSession[] {
    const { user, room } = withDefaults('sessions', filter, { user: undefined, room: undefined })
    check('user', user, 'a string', user === undefined || typeof user === 'string')
    check('room', room, 'a string', room === undefined || typeof room === 'string')
    if (room === undefined) return user === undefined ? this.#sessions.all() : this.#sessions.ofUser(user)
    const inRoom = this.#sessions.known(this.#context.rooms.members(room))
    return user === undefined ? inRoom : inRoom.filter((session) => session.user === user)
  }
}

function viewOf<C extends Contract>({ id, user, isConnected, rooms, publicSession }: ServerSession): SessionView<C> {
  // Which events the contract has, the compiler has seen to where it was given to the server.
  const { send, volatile, join, leave, close } = publicSession as Session<C>
  return {
    id,
    user,
    isConnected,
    rooms: new Set(rooms.names),
    send: (event, ...data) => void send(event, ...data),
    volatile,
    join,
    leave,
    close,
  }
}
