import type { Transport, TransportListener } from '../../src/platform/transport.js'
import type { World } from './world.js'

/** What can go wrong with links and the server, each as a probability or a range in milliseconds. */
export interface NetworkFaults {
  /** A dial is refused. */
  readonly refusal: number
  /** A dial is never answered. */
  readonly silentDial: number
  /** The longest one-way delay. */
  readonly delayMaxMs: number
  /** Only a link that has brought a pong falls silent: the clients cannot tell otherwise. */
  readonly silenceAfterPong: boolean
}

/** One link from a page's transport to the server. */
interface Link {
  readonly page: string
  state: 'dialling' | 'open' | 'ended'
  /** Neither side hears the other any more, and nobody is told. */
  isSilent: boolean
  /** What is in the browser's buffer when it is dropped leaves all the same. */
  isParting: boolean
  /** Whether it has brought a pong. */
  hasAnswered: boolean
  /** Frames that are still in the browser's buffer, with the position after each. */
  buffer: { frame: string; position: number }[]
  /** Frames that have left the browser and not yet arrived. */
  underWay: string[]
  sent: number
  flushed: number
  /** Of the last frame planned in each direction: links are first in, first out. */
  lastUpAt: number
  lastDownAt: number
  end(code: number): void
}

/**
 * A network between pages and one plain server: first in, first out, with delay, cuts that lose what is under way,
 * silence, refused and unanswered dials, and a server that restarts.
 */
export interface Network {
  createTransport(page: string, listener: TransportListener): Transport
  /** Cuts a random link: what is under way is lost, and the page is told. */
  cut(): void
  /** Makes a random link silent: what leaves the browser is lost, and nobody is told. */
  silence(): void
  stopServer(): void
  startServer(): void
  heal(): void
  /** The page is gone: its links end, whatever they carry is lost. */
  forget(page: string): void
  /** The page ends, or closes its link, in good order: unless something waited in the browser's buffer by then, all it hands over arrives. */
  part(page: string): void
  /** Whether what the page hands over now leaves when its link is closed. */
  isParting(page: string): boolean
  openLinks(page: string): number
  /** What the server has received, in order. */
  readonly arrived: readonly string[]
  /** What had left a browser and was lost on the way: all that a plain server's guarantee allows to be missing. */
  readonly lost: ReadonlySet<string>
  /** What has left a browser. */
  readonly left: ReadonlySet<string>
}

export function createNetwork(world: World, faults: NetworkFaults): Network {
  const links = new Set<Link>()
  const arrived: string[] = []
  const lost = new Set<string>()
  const left = new Set<string>()
  /** What a dead page's promises still ask for does not happen. */
  const gone = new Set<string>()
  let isServerUp = true
  let isHealed = false

  const delay = (): number => world.between(1, faults.delayMaxMs)
  const live = (): Link[] => [...links].filter(({ state }) => state !== 'ended')

  function drop(link: Link): void {
    if (link.isParting && link.state === 'open') {
      for (const { frame } of link.buffer) {
        left.add(frame)
        link.underWay.push(frame)
      }
      if (!link.isSilent) arrived.push(...link.underWay.splice(0).filter((frame) => frame !== 'ping'))
    }
    link.state = 'ended'
    for (const frame of link.underWay) lost.add(frame)
    if (link.underWay.length) world.note(`${link.page}'s link loses ${link.underWay.join(' ')}`)
    link.underWay = []
    links.delete(link)
  }

  /** The browser's buffer empties frame by frame; a dead link swallows what leaves it. */
  function flush(link: Link): void {
    const next = link.buffer.shift()
    if (!next || link.state !== 'open') return
    link.flushed = next.position
    left.add(next.frame)
    link.underWay.push(next.frame)
    if (!link.isSilent) {
      link.lastUpAt = Math.max(link.lastUpAt, world.now + delay())
      world.after(link.lastUpAt - world.now, () => arrive(link))
    }
    if (link.buffer.length) world.after(world.between(0, 3), () => flush(link))
  }

  function arrive(link: Link): void {
    if (link.state !== 'open' || link.isSilent) return
    const frame = link.underWay.shift() as string
    if (frame === 'ping') return reply(link, 'pong')
    arrived.push(frame)
    reply(link, frame)
  }

  let hear = new Map<Link, TransportListener>()

  function reply(link: Link, frame: string): void {
    link.lastDownAt = Math.max(link.lastDownAt, world.now + delay())
    world.after(link.lastDownAt - world.now, () => {
      if (link.state !== 'open' || link.isSilent) return
      link.hasAnswered ||= frame === 'pong'
      hear.get(link)?.frame(frame)
    })
  }

  return {
    arrived,
    lost,
    left,
    createTransport(page, listener) {
      let current: Link | undefined

      function dial(): Link {
        const link: Link = {
          page,
          state: 'dialling',
          isSilent: false,
          isParting: false,
          hasAnswered: false,
          buffer: [],
          underWay: [],
          sent: 0,
          flushed: 0,
          lastUpAt: 0,
          lastDownAt: 0,
          end(code) {
            if (link.state === 'ended') return
            drop(link)
            world.after(delay(), () => {
              if (current === link) listener.closed(code, '')
            })
          },
        }
        links.add(link)
        hear.set(link, listener)
        if (!isHealed && world.chance(faults.silentDial)) return link
        world.after(2 * delay(), () => {
          if (link.state !== 'dialling') return
          if (!isServerUp || (!isHealed && world.chance(faults.refusal))) return link.end(1006)
          link.state = 'open'
          if (current === link) listener.opened()
        })
        return link
      }

      return {
        open() {
          if (gone.has(page)) return
          if (current) drop(current)
          current = dial()
        },
        get isOpen() {
          return current?.state === 'open'
        },
        send(frame) {
          if (!current) return
          current.sent += frame.length
          current.buffer.push({ frame: String(frame), position: current.sent })
          const link = current
          if (link.buffer.length === 1) world.after(world.between(0, 3), () => flush(link))
        },
        buffered: () => (current ? current.sent - current.flushed : 0),
        drop() {
          if (current) drop(current)
          current = undefined
        },
      }
    },
    cut() {
      const open = live()
      open[world.between(0, open.length - 1)]?.end(1006)
    },
    silence() {
      const open = live()
      const link = open[world.between(0, open.length - 1)]
      if (link && (link.hasAnswered || !faults.silenceAfterPong)) link.isSilent = true
    },
    stopServer() {
      isServerUp = false
      for (const link of live()) link.end(world.chance(0.5) ? 1001 : 1006)
    },
    startServer() {
      isServerUp = true
    },
    heal() {
      isHealed = isServerUp = true
    },
    forget(page) {
      gone.add(page)
      for (const link of live()) if (link.page === page) drop(link)
      hear = new Map([...hear].filter(([link]) => link.page !== page))
    },
    part(page) {
      for (const link of live()) if (link.page === page) link.isParting = !link.buffer.length
    },
    isParting: (page) => live().some((link) => link.page === page && link.isParting),
    openLinks: (page) => live().filter((link) => link.page === page && link.state === 'open').length,
  }
}
