import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { WebSocket, WebSocketServer } from 'ws'
import { nodePlatform } from '../base/platform.js'
import { checkedOffers } from './extensions.js'
import { answer, isHandshake, NOT_FOUND, refusalOf, type Refusal } from './handshake.js'
import type { AttachableServer } from './listen-options.js'
import { returnToApplication } from './return-request.js'

/** What a server does with requests for an upgrade. */
export interface UpgradeHandlers {
  /** Whether a request is this server's by what it offers, on an http server that others listen to as well. */
  readonly isOurs: (request: IncomingMessage) => boolean
  /** Refuses a handshake that is sound, for a reason of the server's own. */
  readonly refuse?: (request: IncomingMessage) => Refusal | undefined
  readonly opened: (client: WebSocket, request: IncomingMessage) => void
  /** A request for an upgrade is being answered with a refusal. */
  readonly refused?: (refusal: Refusal, request: IncomingMessage) => void
  /** A request was left to the other listeners of a shared http server, and something is wrong with that. */
  readonly ignored?: (why: string, request: IncomingMessage) => void
}

/** The upgrades of one server. */
export interface Upgrades {
  /** Upgrades a request with a sound handshake, and refuses any other. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  /** Takes those requests of an http server that are ours. Returns the function that removes its listener. */
  bind(http: AttachableServer): () => void
}

/** Marks the listeners of this package, also those of its other copies in the process. */
const CLAIM = Symbol.for('holdfast.upgrade')

/** How sure a server is that a request is its own: by its path, or by what is offered; 0, not at all. */
type Claim = (request: IncomingMessage, isShared: boolean) => 0 | 1 | 2

interface UpgradeListener {
  (request: IncomingMessage, socket: Duplex, head: Buffer): void
  readonly [CLAIM]: Claim
}

/** How long other listeners may take to answer, in milliseconds. Engine.IO waits as long. */
const ANSWER_WITHIN_MS = 1_000

/**
 * @param path the only path that is served
 * @example const unbind = createUpgrades(sockets, { isOurs, opened }, '/live').bind(http)
 */
export function createUpgrades(sockets: WebSocketServer, handlers: UpgradeHandlers, path?: string): Upgrades {
  const { isOurs, refuse = () => undefined, opened, refused = () => {}, ignored = () => {} } = handlers
  const notFound = { ...NOT_FOUND, hint: `The path of this server is "${path}"` }
  const isServed = (request: IncomingMessage): boolean => path === undefined || pathOf(request) === path

  const claim: Claim = (request, isShared) => {
    if (path !== undefined) return isServed(request) ? 2 : 0
    return !isShared || isOurs(request) ? 1 : 0
  }

  function reject(refusal: Refusal, request: IncomingMessage, socket: Duplex): void {
    refused(refusal, request)
    answer(socket, refusal)
  }

  function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const refusal = refusalOf(request) ?? (isServed(request) ? refuse(request) : notFound)
    if (refusal) return reject(refusal, request, socket)
    // ws would refuse the connection where RFC 7692 section 5 wants the offer declined.
    request.headers['sec-websocket-extensions'] = checkedOffers(request.headers['sec-websocket-extensions'])
    // The response and the first frame leave in one packet.
    socket.cork()
    try {
      sockets.handleUpgrade(request, socket, head, (client) => opened(client, request))
    } finally {
      socket.uncork()
    }
  }

  // What ws refuses it would answer by itself, without a word to us.
  sockets.on('wsClientError', ({ message }, socket, request) =>
    reject({ status: 400, reason: `${message}.` }, request, socket),
  )

  function leave(request: IncomingMessage, socket: Duplex): void {
    const why = 'its path and subprotocol are not ours, and none of the other upgrade listeners has answered it'
    const tell = (): void => {
      if (!isAnswered(socket)) ignored(why, request)
    }
    // A client of ours has a wrong path. Another's may be waiting for a listener that takes its time.
    nodePlatform.setTimer(tell, isOurs(request) ? 0 : ANSWER_WITHIN_MS)
  }

  return {
    upgrade,
    bind(http) {
      const take: UpgradeListener = Object.assign(
        (request: IncomingMessage, socket: Duplex, head: Buffer) => {
          const { chosen, isClaimed, isShared } = choose(http, request)
          if (chosen !== take) return
          // Without us the application would have got it.
          if (!isHandshake(request)) return isShared ? undefined : returnToApplication(http, request, socket, head)
          if (isClaimed) return upgrade(request, socket, head)
          return isShared ? leave(request, socket) : reject(notFound, request, socket)
        },
        { [CLAIM]: claim },
      )
      http.on('upgrade', take)
      const release = takeFirst(http)
      return () => {
        http.off('upgrade', take)
        release()
      }
    },
  }
}

/** The one of our servers on this http server that acts on a request. Each of them comes to the same answer. */
function choose(http: AttachableServer, request: IncomingMessage) {
  const listeners: unknown[] = http.listeners('upgrade')
  const ours = listeners.filter(isUpgradeListener)
  const isShared = ours.length < listeners.length
  const claims: number[] = ours.map((one) => one[CLAIM](request, isShared))
  const highest = Math.max(...claims)
  return { chosen: ours[claims.indexOf(highest)], isClaimed: highest > 0, isShared }
}

/**
 * Keeps what is ours from the other upgrade listeners, whoever came first: ws answers whatever has not its path with 400,
 * and would write that into a connection of ours. Node has no other way, since it calls all listeners of an event.
 *
 * @returns gives the http server its own `emit` back
 */
function takeFirst(http: AttachableServer): () => void {
  const { emit } = http
  const emitFirst = (event: string, ...values: [IncomingMessage, Duplex, Buffer]): boolean => {
    if (event === 'upgrade' && isHandshake(values[0])) {
      const { chosen, isClaimed, isShared } = choose(http, values[0])
      if (isShared && isClaimed && chosen) {
        chosen.apply(http, values)
        return true
      }
    }
    return Reflect.apply(emit, http, [event, ...values])
  }
  // The values are those of Node's events.
  http.emit = emitFirst as typeof http.emit
  return () => {
    if (http.emit === emitFirst) http.emit = emit
  }
}

const isUpgradeListener = (listener: unknown): listener is UpgradeListener =>
  typeof listener === 'function' && CLAIM in listener

/** As ws has it: what follows the question mark does not count. */
const pathOf = ({ url = '' }: IncomingMessage): string => url.replace(/\?.*/s, '')

/** Node hands over a socket that nobody reads. Whoever answers ends it, or begins to read. */
const isAnswered = (socket: Duplex): boolean => socket.destroyed || !socket.writable || socket.readableFlowing === true
