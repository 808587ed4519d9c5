import type { Body, Received } from '../../../src/protocol/codec.js'
import { msgpackFrames } from '../../../src/protocol/msgpack-frames.js'
import { receivedOf } from '../../support/server-world.js'
import type { Transport, TransportListener } from '../../../src/platform/transport.js'
import { createChance, mix, type Chance, type World } from '../world.js'

/** The server's end of a connection, as the engine sees it. */
export interface Socket {
  readonly bufferedAmount: number
  readonly bytesRead: number
  readonly bytesWritten: number
  readonly bytesLeft: number
  send(frame: Body): void
  close(code: number, reason: string): void
  terminate(): void
}

/** What the engine hears of a connection. */
export interface Connection {
  receive(frame: Received): void
  closed(code: number, reason: string): void
}

/** Who watches the frames go by. */
export interface WireWatcher {
  /** The client has handed a frame to its socket. */
  up(link: Link, frame: string): void
  /** The server has handed a frame to its socket. */
  down(link: Link, frame: string): void
  /** The frame has reached the client. */
  heard(link: Link, frame: string): void
  /** The server has let go of the connection, or lost it. */
  gone(link: Link): void
}

/** One connection, or the attempt at one. */
export interface Link {
  readonly id: number
  readonly page: string
  /** What the client has offered. */
  readonly subprotocol: string | undefined
  readonly isClientThere: boolean
  readonly isServerThere: boolean
  /** When the client was given its last frame; 0 before the first. */
  readonly heardAt: number
}

/** A network between pages and one server: first in, first out in each direction, until something breaks. */
export interface Wire {
  /** @param happen calls back when the page is awake; what comes first is called first */
  createTransport(page: string, listener: TransportListener, happen: (act: () => void) => void): Transport
  /** Links that at least one side believes in, oldest first. */
  links(): readonly Link[]
  /** How many sockets the page holds. */
  held(page: string): number
  /**
   * The connection breaks. Of what is under way each side still gets the first few frames; then each is told after a
   * while, or never.
   */
  cut(link: Link, details: { tellClientMs: number | null; tellServerMs: number | null; keep: number }): void
  /** What is sent this way from now on is lost, and nobody is told. */
  silence(link: Link, way: 'up' | 'down' | 'both'): void
  /** What is under way stands still for a while. */
  stall(link: Link, way: 'up' | 'down' | 'both', forMs: number): void
  /** The first words that the page says on its next link take so much longer. */
  lag(page: string, forMs: number): void
  /** Nobody gets through for a while: dials are refused, or never answered. */
  refuse(forMs: number, isSilent: boolean): void
  /** The page is gone: the server is told, or not. */
  forget(page: string, isSilent: boolean): void
  /** The server's process is gone: its clients are told, or not. */
  hangUpAll(isSilent: boolean): void
  /** The faults are over: nothing new breaks, and what is silent stays so until somebody finds out. */
  heal(): void
}

/** How long the server's WebSocket library waits for a client to answer its close frame. */
const CLOSE_TIMEOUT_MS = 1_000

/** One direction of a link: each frame arrives after a delay, never before the one that went before it. */
interface Direction {
  carry(arrive: () => void, bytes?: number): void
  /** Of what is under way only the first few arrive, and nothing that is sent later. */
  cut(keep: number): void
  hold(until: number): void
  /** What is under way. */
  readonly bytes: number
  /** What was carried in all, and how much of that has arrived: of a frame too that is not whole yet. */
  readonly carried: number
  readonly arrived: number
}

function createDirection(world: World, chance: Chance, delayMaxMs: number, bytesPerMs = Infinity): Direction {
  const queue: { arrive: () => void; bytes: number }[] = []
  let lastAt = 0
  let heldUntil = 0
  let isCut = false
  let bytes = 0
  let carried = 0
  /** When a link of this throughput has carried all that it was given. */
  let busyUntil = 0

  function next(): void {
    if (world.now < heldUntil) return void world.after(heldUntil - world.now, next)
    const first = queue.shift()
    if (!first) return
    bytes -= first.bytes
    first.arrive()
  }

  return {
    get bytes() {
      return bytes
    },
    get carried() {
      return carried
    },
    get arrived() {
      if (bytesPerMs === Infinity || isCut) return carried - bytes
      return carried - Math.max(0, (busyUntil - world.now) * bytesPerMs)
    },
    carry(arrive, size = 0) {
      if (isCut) return
      queue.push({ arrive, bytes: size })
      bytes += size
      carried += size
      busyUntil = Math.max(busyUntil, world.now) + size / bytesPerMs
      lastAt = Math.max(lastAt, busyUntil + 1 + chance.random() * delayMaxMs)
      world.after(lastAt - world.now, next)
    },
    cut(keep) {
      isCut = true
      queue.length = Math.min(queue.length, keep)
    },
    hold(until) {
      heldUntil = Math.max(heldUntil, until)
    },
  }
}

interface WireOptions {
  readonly seed: number
  readonly delayMaxMs: number
  /** How much a link carries each way. */
  readonly bytesPerMs?: number
  /** How much the server's kernel takes beyond what the link has carried. */
  readonly kernelBytes?: number
  readonly watcher: WireWatcher
  /** A client connects; undefined where no server is up. */
  accept(socket: Socket, link: Link): Connection | undefined
}

interface End extends Link {
  isClientThere: boolean
  isServerThere: boolean
  heardAt: number
  readonly up: Direction
  readonly down: Direction
  listener: TransportListener
  connection: Connection | undefined
}

export function createWire(world: World, options: WireOptions): Wire {
  const { seed, delayMaxMs, bytesPerMs, kernelBytes = 0, watcher, accept } = options
  const links = new Set<End>()
  const forgotten = new Set<string>()
  const dials = new Map<string, number>()
  const lags = new Map<string, number>()
  let births = 0
  let refusesUntil = 0
  let isRefusalSilent = false

  function createLink(page: string, subprotocol: string | undefined, listener: TransportListener): End {
    const dial = (dials.get(page) ?? 0) + 1
    dials.set(page, dial)
    const luck = (way: number): Chance => createChance(mix(seed, hashOf(page), dial, way))
    const link: End = {
      id: ++births,
      page,
      subprotocol,
      isClientThere: true,
      isServerThere: false,
      heardAt: 0,
      up: createDirection(world, luck(1), delayMaxMs, bytesPerMs),
      down: createDirection(world, luck(2), delayMaxMs, bytesPerMs),
      listener,
      connection: undefined,
    }
    links.add(link)
    return link
  }

  function tidy(link: End): void {
    if (!link.isClientThere && !link.isServerThere) links.delete(link)
  }

  /** The client learns that the connection is over. */
  function endClient(link: End, code: number, reason: string): void {
    if (!link.isClientThere) return
    world.note(() => `${nameOf(link)} is closed for the client: ${code} ${reason}`)
    link.isClientThere = false
    tidy(link)
    link.listener.closed(code, reason)
  }

  /** The server learns it. */
  function endServer(link: End, code: number, reason: string): void {
    if (!link.isServerThere) return
    world.note(() => `${nameOf(link)} is closed for the server: ${code} ${reason}`)
    link.isServerThere = false
    tidy(link)
    watcher.gone(link)
    link.connection?.closed(code, reason)
  }

  function reach(link: End): void {
    if (world.now < refusesUntil) {
      if (!isRefusalSilent) link.down.carry(() => endClient(link, 1006, ''))
      return
    }
    link.isServerThere = true
    // The upgrade's response is on its way before anything else.
    link.down.carry(() => {
      world.note(() => `${nameOf(link)} is open`)
      if (link.isClientThere) link.listener.opened()
    })
    link.connection = accept(createSocket(link), link)
    if (link.connection) return
    link.isServerThere = false
    link.down.cut(0)
    world.after(1, () => endClient(link, 1006, ''))
  }

  function createSocket(link: End): Socket {
    let isClosing = false
    const goes = (frame: Received): void => {
      if (!link.isClientThere) return
      link.heardAt = world.now
      link.listener.frame(frame)
    }
    return {
      get bufferedAmount() {
        return link.down.bytes
      },
      get bytesRead() {
        return link.up.arrived
      },
      get bytesWritten() {
        return link.down.carried
      },
      get bytesLeft() {
        return Math.min(link.down.carried, link.down.arrived + kernelBytes)
      },
      send(body) {
        if (!link.isServerThere || isClosing) return
        const text = textOf(body)
        world.note(() => `${nameOf(link)} <- ${text}`)
        watcher.down(link, text)
        link.down.carry(() => goes(receivedOf(body)), body.length)
      },
      close(code, reason) {
        if (!link.isServerThere || isClosing) return
        isClosing = true
        world.note(() => `${nameOf(link)} <- close ${code} ${reason}`)
        watcher.gone(link)
        link.down.carry(() => {
          endClient(link, code, reason)
          link.up.carry(() => endServer(link, code, reason))
        })
        world.after(CLOSE_TIMEOUT_MS, () => endServer(link, 1006, ''))
      },
      terminate() {
        if (!link.isServerThere) return
        world.note(() => `${nameOf(link)} is terminated by the server`)
        link.up.cut(0)
        link.down.cut(link.down.bytes ? 1 : 0)
        world.after(1, () => endServer(link, 1006, ''))
        world.after(delayMaxMs, () => endClient(link, 1006, ''))
      },
    }
  }

  function hangUp(link: End, code: number, reason: string): void {
    if (!link.isClientThere) return
    world.note(() => `${nameOf(link)} is dropped by the client: ${code} ${reason}`)
    link.isClientThere = false
    link.up.carry(() => endServer(link, code, reason))
    tidy(link)
  }

  const ends = (link: Link): End => link as End
  const both = (link: Link, way: 'up' | 'down' | 'both'): Direction[] =>
    way === 'both' ? [ends(link).up, ends(link).down] : [ends(link)[way]]

  return {
    createTransport(page, listener, happen) {
      let current: End | undefined
      /** The socket that the client knows to be open. */
      let opened: End | undefined
      return {
        get isOpen() {
          return current !== undefined && opened === current && current.isClientThere
        },
        open(_url, [subprotocol]) {
          if (forgotten.has(page)) return
          if (current) hangUp(current, 4000, 'another attempt')
          const ifCurrent = (act: () => void): void => happen(() => current === link && act())
          const link = (current = createLink(page, subprotocol, {
            opened: () =>
              ifCurrent(() => {
                opened = link
                listener.opened()
              }),
            frame: (frame) =>
              ifCurrent(() => {
                watcher.heard(link, textOf(frame))
                listener.frame(frame)
              }),
            closed: (code, reason) => ifCurrent(() => listener.closed(code, reason)),
            blocked: listener.blocked,
          }))
          world.note(() => `${nameOf(link)} is dialled`)
          link.up.carry(() => reach(link))
        },
        send(body) {
          const link = current
          if (!link || forgotten.has(page) || !link.isClientThere) return
          const text = textOf(body)
          world.note(() => `${nameOf(link)} -> ${text}`)
          link.up.hold(world.now + (lags.get(page) ?? 0))
          lags.delete(page)
          watcher.up(link, text)
          link.up.carry(() => {
            if (link.isServerThere) link.connection?.receive(receivedOf(body))
          }, body.length)
        },
        buffered: () => 0,
        drop(code, reason) {
          if (current && !forgotten.has(page)) hangUp(current, code, reason)
          current = undefined
        },
      }
    },
    links: () => [...links],
    held: (page) => [...links].filter((link) => link.page === page && link.isClientThere).length,
    cut(link, { tellClientMs, tellServerMs, keep }) {
      world.note(() => `${nameOf(link)} breaks`)
      ends(link).up.cut(keep)
      ends(link).down.cut(keep)
      if (tellClientMs !== null) world.after(tellClientMs, () => endClient(ends(link), 1006, ''))
      if (tellServerMs !== null) world.after(tellServerMs, () => endServer(ends(link), 1006, ''))
    },
    silence(link, way) {
      world.note(() => `${nameOf(link)} falls silent: ${way}`)
      for (const direction of both(link, way)) direction.cut(0)
    },
    stall(link, way, forMs) {
      world.note(() => `${nameOf(link)} stalls: ${way}, ${forMs} ms`)
      for (const direction of both(link, way)) direction.hold(world.now + forMs)
    },
    lag: (page, forMs) => void lags.set(page, forMs),
    refuse(forMs, isSilent) {
      world.note(`nobody gets through for ${forMs} ms`)
      refusesUntil = world.now + forMs
      isRefusalSilent = isSilent
    },
    forget(page, isSilent) {
      forgotten.add(page)
      for (const link of [...links]) {
        if (link.page !== page || !link.isClientThere) continue
        link.isClientThere = false
        if (isSilent) link.up.cut(0)
        else link.up.carry(() => endServer(link, 1006, ''))
        tidy(link)
      }
    },
    hangUpAll(isSilent) {
      for (const link of [...links]) {
        if (!link.isServerThere) continue
        link.isServerThere = false
        link.connection = undefined
        watcher.gone(link)
        link.up.cut(0)
        if (isSilent) link.down.cut(0)
        else link.down.carry(() => endClient(link, 1006, ''))
        tidy(link)
      }
    },
    heal() {
      refusesUntil = 0
    },
  }
}

/** A frame in words, whatever it is written in. */
const textOf = (frame: Body | ArrayBuffer): string =>
  typeof frame === 'string' ? frame : JSON.stringify(msgpackFrames.read(new Uint8Array(frame).slice().buffer))

const nameOf = (link: Link): string => `${link.page}#${link.id}`

/** FNV-1a, 32 bits. Source: Fowler, Noll and Vo, public domain. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return hash >>> 0
}
