import type { Chance } from '../world.js'
import { FAULTY_MS, type Act, type Wish } from './acts.js'

/** An act at its time. */
type Cue = { readonly at: number } & Act

/** What chance alone brings together too rarely: several acts at one place, each at the right moment. */
type Scene = (chance: Chance, start: number, setup: { readonly delayMaxMs: number }) => Cue[]

/** In so many runs one of them is played, among all else that happens. */
const SCENE_CHANCE = 0.3

/** The longest of them. */
const SCENE_MS = 5_000

const wish = (handlerMs: number): Wish => ({ handlerMs, isBad: false, padding: 0 })
const some = (chance: Chance): number => chance.between(0, 7)

/** The store goes back and gives a number of a stream away twice, while the client that had the first is away. */
const numberTwice: Scene = (chance, start) => {
  const session = some(chance)
  const backAt = start + chance.between(900, 1_500)
  return [
    { at: start, type: 'push', session, count: chance.between(1, 3) },
    { at: start + 200, type: 'push', session, count: 1 },
    { at: backAt - 10, type: 'refuse', forMs: 1_500, isSilent: chance.chance(0.3) },
    { at: backAt - 10, type: 'cut', link: some(chance), tellClientMs: 0, tellServerMs: 0, keep: 0 },
    // To what was between the two.
    { at: backAt, type: 'rollback', ...LIVE, backMs: backAt - start - 150, isBlind: true },
    { at: backAt + 10, type: 'push', session, count: 1 },
  ]
}

const LIVE = { isLive: true, isSilent: false, downMs: 0 } as const

/** A burst with a hole in it reaches a server that has just begun to drain. */
const leapIntoDrain: Scene = (chance, start) => {
  const page = some(chance)
  const key = 'key'
  return [
    { at: start, type: 'send', page, count: 1, wish: wish(600) },
    { at: start + 200, type: 'send', page, count: 1, wish: wish(0) },
    { at: start + 200, type: 'send', page, count: 2, wish: wish(0), key },
    { at: start + 200 + chance.between(0, 150), type: 'drain', windowMs: chance.between(1, 500), downMs: 0 },
  ]
}

/** The store fails when the outcome of a request is to be kept, and the process, which drains, ends right after. */
const lostOutcome: Scene = (chance, start) => {
  const handlerMs = chance.between(300, 600)
  return [
    { at: start, type: 'ask', page: some(chance), wish: wish(handlerMs) },
    { at: start + chance.between(100, handlerMs), type: 'drain', windowMs: 100, downMs: 0 },
    { at: start + handlerMs, type: 'store', forMs: chance.between(100, 400) },
  ]
}

/** A session ends while a handler of it runs; when that is done its page is just about to have another session. */
const expelledRequester: Scene = (chance, _start, { delayMaxMs }) => {
  // Later, another session would make it known that the reply is lost.
  const start = FAULTY_MS - chance.between(700, 1_000)
  const expelledAfterMs = chance.between(delayMaxMs, 450)
  const backAfterMs = 2 * delayMaxMs + chance.between(0, 200)
  const handlerMs = expelledAfterMs - Math.round(delayMaxMs / 2) + backAfterMs
  return [
    { at: start, type: 'ask', page: some(chance), wish: wish(handlerMs) },
    { at: start + expelledAfterMs, type: 'expel', session: some(chance), code: 4_200 },
  ]
}

/** The store does not take a message while the page that it is for is just coming back. */
const refusedPush: Scene = (chance, start, { delayMaxMs }) => {
  const backWithinMs = 3 * delayMaxMs + 20
  return [
    { at: start, type: 'reconnect', page: some(chance) },
    { at: start, type: 'store', forMs: backWithinMs + 50 },
    { at: start + chance.between(0, backWithinMs), type: 'push', session: some(chance), count: chance.between(3, 6) },
  ]
}

/** A request waits behind a message that the disk does not take, and nothing comes after it that would push it on. */
const fullDisk: Scene = (chance) => {
  const page = some(chance)
  const start = FAULTY_MS - chance.between(200, 400)
  return [
    { at: start - 20, type: 'disk', forMs: 400 },
    { at: start, type: 'send', page, count: 1, wish: wish(0) },
    { at: start + chance.between(0, 20), type: 'ask', page, wish: wish(0) },
  ]
}

/**
 * A page has found a message, and asks behind it. The words of a connection that it has left come while the message is
 * being handled for the next, in another session: it is the older one that has the request handled then.
 */
const lateRequest: Scene = (chance) => {
  const page = some(chance)
  // Later, yet another session would make it known that the reply is lost.
  const start = FAULTY_MS - chance.between(1_000, 1_400)
  return [
    { at: start, type: 'refuse', forMs: 300, isSilent: false },
    { at: start + 1, type: 'reconnect', page },
    { at: start + 10, type: 'send', page, count: 1, wish: wish(600) },
    { at: start + 100, type: 'crash', page, isSilent: false, backAfterMs: 50 },
    { at: start + 250, type: 'ask', page: some(chance), wish: wish(chance.between(0, 300)) },
    { at: start + 320, type: 'lag', page: some(chance), forMs: chance.between(600, 900) },
    // The server takes it for alive.
    { at: start + 900, type: 'cut', link: some(chance), tellClientMs: 0, tellServerMs: 2_000, keep: 6 },
  ]
}

/** The store has ended a session for want of a message, goes back to before that, and does not know that it did. */
const endedInVain: Scene = (chance, start, { delayMaxMs }) => {
  // Its client has come back once by then, and is on its way again.
  const afterMs = chance.between(50, 200 + 4 * delayMaxMs)
  return [
    { at: start, type: 'store', forMs: 20 },
    { at: start + 1, type: 'push', session: some(chance), count: 3 },
    { at: start + afterMs, type: 'rollback', ...LIVE, backMs: afterMs + 10, isBlind: true },
  ]
}

/** A page finds no disk and no server, and its client is closed and opened again: what it has is in memory only. */
const withoutDisk: Scene = (chance, start) => {
  const page = some(chance)
  return [
    { at: start, type: 'disk', forMs: 3_000 },
    { at: start, type: 'refuse', forMs: 2_500, isSilent: false },
    { at: start + 1, type: 'crash', page, isSilent: false, backAfterMs: 1 },
    { at: start + 200, type: 'send', page: some(chance), count: 2, wish: wish(0) },
    { at: start + 400, type: 'reopen', page: some(chance), drainMs: 0, afterMs: chance.between(0, 200) },
  ]
}

const SCENES = [
  ...[numberTwice, leapIntoDrain, lostOutcome, expelledRequester, refusedPush, fullDisk],
  ...[lateRequest, endedInVain, withoutDisk],
] as const

/** The cues of a scene, or none. */
export function drawScene(chance: Chance, setup: Parameters<Scene>[2]): Cue[] {
  if (!chance.chance(SCENE_CHANCE)) return []
  const start = chance.between(100, FAULTY_MS - SCENE_MS)
  return chance.pick(SCENES)(chance, start, setup)
}
