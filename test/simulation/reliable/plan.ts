import { createChance, mix, type Chance } from '../world.js'
import { FAULTY_MS, type Act, type Wish } from './acts.js'
import { drawScene } from './scenes.js'

/** What a run starts with: how large, how slow and how durable everything is. */
export interface Setup {
  readonly isDurable: boolean
  readonly pages: number
  /** The longest one-way delay of a frame. */
  readonly delayMaxMs: number
  /** How much a link carries each way; absent: at once. With it nothing goes wrong, and no link may be lost. */
  readonly bytesPerMs?: number
  /** How much the server's kernel takes beyond that; absent: nothing. */
  readonly kernelBytes?: number
  /** Whether the page sends all the time, and its link falls silent. */
  readonly isInUse?: boolean
  /** Whether heartbeat and connect deadline are those that an application has which sets none. */
  readonly isPatient?: boolean
  /** The longest commit of the outbox's store. */
  readonly commitMaxMs: number
  /** The longest that the server's store takes; 0: it answers at once, without a promise. */
  readonly storeMaxMs: number
  readonly window: { readonly messages: number; readonly bytes: number }
  readonly frameBytesMax: number
  /** How many messages of a stream may be unacknowledged. */
  readonly streamMessagesMax: number
  /** How long a stream waits for its client. */
  readonly streamTtlMs: number
  /** How long a credential holds; 0: for ever. */
  readonly authTtlMs: number
  /** What gives way where an outbox holds only a few messages; absent: it holds many. */
  readonly overflow?: 'reject' | 'drop-oldest' | 'drop-newest'
  /** How long after it is opened a page binds its listener, in milliseconds; absent: at once. */
  readonly listensAfterMs?: number
  /** How long after its start a server binds its listener of `session`, and how long that may take; absent: it is done at once. */
  readonly meetsAfterMs?: number
  /** What becomes of messages that the outbox's store does not take; absent: they fail. */
  readonly whenUnavailable?: 'memory'
  /** Whether pages ask something at each welcome, before all else. */
  readonly isGreeting?: true
  /** Whether the server speaks MessagePack beside JSON, and pages speak the one or the other. */
  readonly isBinary?: true
}

/** An act in its place. `id` seeds its own luck, so that leaving others out does not change it. */
export type Step = { readonly id: number; readonly at: number } & Act

/** A whole run, written down: the same plan gives the same run. */
export interface Plan {
  readonly seed: number
  readonly setup: Setup
  readonly steps: readonly Step[]
}

/** How often each kind of act is drawn, and how many of it there are then. */
type Faults = { readonly [Type in Act['type']]?: (chance: Chance) => Omit<Extract<Act, { type: Type }>, 'type'> }

const some = (chance: Chance): number => chance.between(0, 7)
const way = (chance: Chance): 'up' | 'down' | 'both' => chance.pick(['up', 'down', 'both'])
const maybeMs = (chance: Chance, max: number): number | null => (chance.chance(0.4) ? null : chance.between(0, max))

const FAULTS: Faults = {
  ask: (chance) => ({
    page: some(chance),
    wish: wish(chance),
    ...(chance.chance(0.3) && { timeoutMs: chance.between(1, 3_000) }),
    ...(chance.chance(0.3) && { abortAfterMs: chance.between(0, 1_000) }),
  }),
  volatile: (chance) => ({ page: some(chance) }),
  remove: (chance) => ({ page: some(chance) }),
  cut: (chance) => ({
    link: some(chance),
    tellClientMs: maybeMs(chance, 500),
    tellServerMs: maybeMs(chance, 3_000),
    keep: chance.between(0, 6),
  }),
  silence: (chance) => ({ link: some(chance), way: way(chance) }),
  stall: (chance) => ({ link: some(chance), way: way(chance), forMs: chance.between(10, 8_000) }),
  lag: (chance) => ({ page: some(chance), forMs: chance.between(1_000, 6_000) }),
  refuse: (chance) => ({ forMs: chance.between(100, 4_000), isSilent: chance.chance(0.3) }),
  crash: (chance) => ({ page: some(chance), isSilent: chance.chance(0.3), backAfterMs: chance.between(1, 1_500) }),
  reload: (chance) => ({
    page: some(chance),
    lingersMs: maybeMs(chance, 2_000),
    backAfterMs: chance.between(1, 800),
    lastWords: chance.between(0, 3),
  }),
  close: (chance) => ({
    page: some(chance),
    drainMs: chance.pick([0, 0, 500]),
    backAfterMs: chance.between(1, 1_500),
  }),
  reopen: (chance) => ({ page: some(chance), drainMs: chance.pick([0, 0, 400]), afterMs: chance.between(0, 800) }),
  freeze: (chance) => ({ page: some(chance), forMs: chance.between(100, 8_000), lastWords: chance.between(0, 3) }),
  sleep: (chance) => ({ page: some(chance), forMs: chance.pick([50, 1_000, 4_000, 9_000]) }),
  auth: (chance) => ({ page: some(chance), forMs: chance.between(100, 5_000), isStale: chance.chance(0.6) }),
  signal: (chance) => ({ page: some(chance), signal: chance.pick(['wake', 'doubt']) }),
  reconnect: (chance) => ({ page: some(chance) }),
  restart: (chance) => ({
    memory: chance.pick(['kept', 'kept', 'empty']),
    isSilent: chance.chance(0.3),
    downMs: chance.between(0, 2_000),
  }),
  rollback: (chance) => ({
    backMs: chance.between(1, 2_000),
    isLive: chance.chance(0.3),
    isSilent: chance.chance(0.3),
    downMs: chance.between(0, 500),
  }),
  drain: (chance) => ({ windowMs: chance.between(1, 1_000), downMs: chance.between(0, 500) }),
  disk: (chance) => ({ forMs: chance.between(10, 2_000) }),
  store: (chance) => ({ forMs: chance.between(10, 1_000) }),
  clock: (chance) => ({ page: some(chance), byMs: chance.between(-3_600_000, 3_600_000) }),
  hide: (chance) => ({ page: some(chance), ...hidden(chance) }),
  expel: (chance) => ({ session: some(chance), code: 4_200 }),
}

/** A browser throttles the timers of a hidden page to one a second, after some minutes to one a minute. */
function hidden(chance: Chance): { forMs: number; everyMs: number } {
  return { forMs: chance.between(1_000, 12_000), everyMs: chance.pick([1_000, 6_000]) }
}

/** Each kind of fault is on in so many runs: a bug may need one fault and the absence of another. */
const FAULT_CHANCE = 0.25

function wish(chance: Chance): Wish {
  return {
    handlerMs: chance.chance(0.7) ? 0 : chance.between(1, 600),
    isBad: chance.chance(0.08),
    padding: chance.chance(0.1) ? chance.between(1, 400) : 0,
  }
}

/** In so many runs the links are slow, and nothing else is wrong. */
const SLOW_CHANCE = 0.05

/** One page and a server with room and time for all: only the link between them is at fault. */
const LINK_ALONE = {
  isDurable: false,
  pages: 1,
  commitMaxMs: 0,
  storeMaxMs: 0,
  window: { messages: 512, bytes: 1_000_000 },
  frameBytesMax: 1_000_000,
  streamMessagesMax: 1_000,
  streamTtlMs: 60_000,
  authTtlMs: 0,
} satisfies Partial<Setup>

/** Slow links that carry small messages and large ones, which take longer than a heartbeat allows. */
function drawSlowPlan(seed: number, chance: Chance): Plan {
  const more = createChance(mix(seed, 13))
  const isPatient = chance.chance(0.5)
  // They also stand still, and their pages too, for less than an answer may take that is asked for.
  const isFitful = isPatient && chance.chance(0.5)
  const setup: Setup = {
    ...LINK_ALONE,
    isPatient,
    delayMaxMs: chance.pick(isPatient && !isFitful ? [1, 400, 1_500] : [1, 150, 400]),
    bytesPerMs: chance.between(isFitful ? 16 : 9, 60),
    kernelBytes: more.pick([0, 200_000, 4_000_000]),
  }
  const steps = Array.from({ length: chance.between(1, 8) }, (_, id): Step => {
    const at = chance.between(0, FAULTY_MS)
    const padding = chance.chance(0.5) ? chance.between(1, 90_000) : 0
    if (chance.chance(0.3)) return { id, at, type: 'push', session: 0, count: 1, padding }
    const handlerMs = chance.chance(0.7) ? 0 : chance.between(1, 8_000)
    return { id, at, type: 'send', page: 0, count: 1, wish: { handlerMs, isBad: false, padding } }
  })
  if (isPatient) {
    const at = chance.between(0, FAULTY_MS)
    const small = { handlerMs: 0, isBad: false, padding: 0 }
    steps.push({ id: 8, at, type: 'volatile', page: 0, padding: 100_000 })
    steps.push({ id: 9, at, type: 'send', page: 0, count: 1, wish: small })
  }
  if (more.chance(0.5)) {
    steps.push({ id: 11, at: more.between(0, FAULTY_MS), type: 'hide', page: 0, ...hidden(more) })
  }
  if (isFitful) {
    const forMs = chance.between(10, 2_500)
    const at = chance.between(0, FAULTY_MS)
    steps.push({
      id: 10,
      at,
      ...chance.pick<Act>([
        { type: 'sleep', page: 0, forMs },
        { type: 'stall', link: 0, way: way(chance), forMs },
      ]),
    })
  }
  return { seed, setup, steps: steps.sort((one, other) => one.at - other.at || one.id - other.id) }
}

/** In so many runs a link falls silent on which the page sends. */
const IN_USE_CHANCE = 0.02

/** A page that sends every quarter of a second, and a link that falls silent under it, with nothing else wrong. */
function drawBusyPlan(seed: number, chance: Chance): Plan {
  const setup: Setup = {
    ...LINK_ALONE,
    delayMaxMs: chance.pick([1, 20, 150, 400]),
    isInUse: true,
    isPatient: true,
  }
  const sends = Array.from({ length: Math.floor(FAULTY_MS / 250) }, (_, id): Step => {
    const handlerMs = chance.chance(0.7) ? 0 : chance.between(1, 600)
    return { id, at: id * 250, type: 'send', page: 0, count: 1, wish: { handlerMs, isBad: false, padding: 0 } }
  })
  const at = chance.between(2_000, Math.max(2_000, FAULTY_MS - 6_500))
  const silence: Step = { id: sends.length, at, type: 'silence', link: 0, way: chance.pick(['up', 'down', 'both']) }
  return { seed, setup, steps: [...sends, silence].sort((one, other) => one.at - other.at || one.id - other.id) }
}

/** In so many runs the server has a codec beside JSON. */
const BINARY_CHANCE = 0.2

/** In so many runs pages ask something at each welcome. */
const GREETING_CHANCE = 0.1

/** Draws the run that belongs to the seed. */
export function drawPlan(seed: number): Plan {
  const slow = createChance(mix(seed, 9))
  if (slow.chance(SLOW_CHANCE)) return drawSlowPlan(seed, slow)
  const busy = createChance(mix(seed, 12))
  if (busy.chance(IN_USE_CHANCE)) return drawBusyPlan(seed, busy)
  const chance = createChance(mix(seed, 1))
  const late = createChance(mix(seed, 10))
  const isBinary = createChance(mix(seed, 11)).chance(BINARY_CHANCE)
  const setup: Setup = {
    ...drawSetup(chance),
    ...(late.chance(0.2) && { meetsAfterMs: late.between(1, 2_000) }),
    ...(isBinary && { isBinary }),
    ...(createChance(mix(seed, 14)).chance(GREETING_CHANCE) && { isGreeting: true }),
  }
  const acts = [...drawTraffic(chance), ...drawFaults(chance), ...drawForgeries(createChance(mix(seed, 14)))]
  // From a chance of its own: the plans of before stay as they were.
  const whims = createChance(mix(seed, 13))
  const isWhimsical = whims.chance(0.2)
  for (const act of acts) {
    if (act.type === 'send' && isWhimsical && whims.chance(0.4)) act.validForMs = whims.between(1, 2_000)
  }
  const steps = acts.map((act, id) => ({ id, at: Math.floor(chance.random() * FAULTY_MS), ...act }))
  const scene = drawScene(createChance(mix(seed, 2)), setup).map((act, index) => ({ id: acts.length + index, ...act }))
  // What happens around one moment finds more bugs than what is spread evenly.
  const moments = [chance.between(0, FAULTY_MS), chance.between(0, FAULTY_MS)]
  const isClustered = chance.chance(0.5)
  const clustered = steps.map((step) =>
    isClustered && chance.chance(0.6)
      ? { ...step, at: Math.min(FAULTY_MS, chance.pick([moments[0] ?? 0, moments[1] ?? 0]) + chance.between(0, 400)) }
      : step,
  )
  return { seed, setup, steps: [...clustered, ...scene].sort((one, other) => one.at - other.at || one.id - other.id) }
}

function drawSetup(chance: Chance): Setup {
  return {
    isDurable: chance.chance(0.6),
    pages: chance.chance(0.25) ? 2 : 1,
    delayMaxMs: chance.pick([1, 20, 150, 400]),
    commitMaxMs: chance.pick([0, 5, 60]),
    storeMaxMs: chance.pick([0, 0, 5, 60]),
    window: chance.pick([
      { messages: 3, bytes: 100_000 },
      { messages: 16, bytes: 300 },
      { messages: 512, bytes: 1_000_000 },
    ]),
    frameBytesMax: chance.pick([350, 1_000_000, 1_000_000]),
    streamMessagesMax: chance.pick([8, 1_000]),
    streamTtlMs: chance.pick([1_500, 60_000, 60_000]),
    authTtlMs: chance.pick([0, 0, 31_500]),
    ...(chance.chance(0.2) && { overflow: chance.pick(['reject', 'drop-oldest', 'drop-newest']) }),
    ...(chance.chance(0.3) && { listensAfterMs: chance.between(1, 4_000) }),
    ...(chance.chance(0.5) && { whenUnavailable: 'memory' }),
  }
}

function drawTraffic(chance: Chance): Act[] {
  const isKeyed = chance.chance(0.2)
  const isHasty = chance.chance(0.2)
  const ups = Array.from({ length: chance.between(1, 12) }, (): Act => ({
    type: 'send',
    page: some(chance),
    count: chance.chance(0.7) ? 1 : chance.between(2, 12),
    wish: wish(chance),
    ...(isHasty && chance.chance(0.4) && { ttlMs: chance.between(1, 2_000) }),
    ...(isKeyed && chance.chance(0.4) && { key: 'key' }),
  }))
  const downs = Array.from({ length: chance.between(0, 10) }, (): Act => ({
    type: 'push',
    session: some(chance),
    count: chance.chance(0.7) ? 1 : chance.between(2, 10),
    ...(chance.chance(0.1) && { isVolatile: true }),
    ...(chance.chance(0.2) && { isForAll: true }),
  }))
  return [...ups, ...downs]
}

function drawFaults(chance: Chance): Act[] {
  return Object.entries(FAULTS).flatMap(([type, draw]) => {
    if (!chance.chance(FAULT_CHANCE)) return []
    return Array.from({ length: chance.between(1, 3) }, () => ({ type, ...draw(chance) }) as Act)
  })
}

/** In so many runs somebody has read the ids of messages. */
const FORGE_CHANCE = 0.1

const drawForgeries = (chance: Chance): Act[] =>
  Array.from({ length: chance.chance(FORGE_CHANCE) ? chance.between(1, 4) : 0 }, () => ({
    type: 'forge',
    writer: some(chance),
    way: chance.pick(['hello', 'leap', 'message', 'skip']),
    hasSecret: chance.chance(0.7),
  }))
