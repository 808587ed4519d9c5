import type { Body } from '../../../src/protocol/codec.js'
import type { World } from '../world.js'
import type { Forgery } from './acts.js'
import type { Verdict } from './verdict.js'
import type { Connection, Socket } from './wire.js'

/** So long after a forgery it must be refused, or its server be gone: longer than the store takes. */
const REFUSED_WITHIN_MS = 500

interface Victim {
  /** What stands in the ids of its messages, which everybody may read. */
  readonly name: string
  /** The last of its messages that is done. */
  readonly n: number
}

interface Surroundings {
  readonly verdict: Verdict
  accept(socket: Socket): Connection | undefined
  /** Whether the process is still there that was told. */
  isAlive(): boolean
}

/** A client of the same user that has read the ids of messages, and speaks as their writer without its secret. */
export function forge(world: World, how: Forgery, { name, n }: Victim, surroundings: Surroundings): void {
  const { verdict, accept, isAlive } = surroundings
  const { check, count } = verdict
  const writer = how.hasSecret ? `${name}~forged` : name
  const heard: string[] = []
  let closedWith: number | undefined
  /** Without a connection still while the server refuses it at once. */
  const line: { connection?: Connection | undefined } = {}
  world.note(() => `somebody forges ${name}: ${how.way}`)
  line.connection = accept({
    ...{ bufferedAmount: 0, bytesRead: 0, bytesWritten: 0, bytesLeft: 0 },
    send: (frame: Body) => void heard.push(String(frame)),
    close: leave,
    terminate: () => leave(1006, ''),
  })

  function leave(code: number, reason: string): void {
    if (closedWith !== undefined) return
    closedWith = code
    line.connection?.closed(code, reason)
  }

  const forged = { t: 'm', w: writer, s: n + 1, e: 'up', d: { n: -1, ms: 0, isBad: false } }
  const words = {
    hello: [hello({ [writer]: n + 1 }), forged],
    leap: [hello({ [writer]: n + 1_000 }), { t: 'resume', writers: { [writer]: n + 1_000 } }],
    message: [hello({}), forged],
    skip: [hello({}), { t: 'skip', w: writer, s: n + 1_000 }],
  }[how.way]
  for (const frame of words) if (closedWith === undefined) line.connection?.receive(JSON.stringify(frame))

  world.after(REFUSED_WITHIN_MS, () => {
    if (!line.connection || !isAlive()) return
    count(`forgery closed with ${String(closedWith)}`)
    check(closedWith !== undefined, 'forged', () => `${writer} was forged, and nobody refuses it`)
    const told = heard.filter((text) => text.startsWith('{"t":"a"') || text.includes(name + '~'))
    check(!told.length, 'forged', () => `${writer} was forged, and answered: ${told.join(' ')}`)
    leave(1000, '')
  })
}

const hello = (writers: Record<string, number>): object => ({ t: 'hello', writers, auth: 'good' })
