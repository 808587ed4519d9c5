import type { Verdict } from './verdict.js'

/** What a page has had of the server's stream. */
interface Reader {
  session: string | undefined
  had: number[]
  /** What has reached the page, and its application was not told yet: number → sequence. */
  readonly untold: Map<number, number>
  /** What it was told of this session, in this life. */
  readonly told: Set<number>
  /** A gap event is due, before anything else. */
  isGapDue: boolean
  /** One gap event is neither due nor wrong. */
  mayHaveGap: boolean
  /** A gap event must say that the server has forgotten what it had acknowledged. */
  isForgotten: boolean
  /** Its client was closed, and may have forgotten its session or not. */
  isLoose: boolean
  /** The same, of what the server has acknowledged: for ever. */
  isVague: boolean
  /** Writer → what the server has acknowledged, as this page saw it. */
  readonly acknowledged: Map<string, number>
}

/** What each session's stream holds or held. */
export type StreamsSnapshot = ReadonlyMap<string, readonly number[]>

/** What the client says in a gap event. */
interface Gap {
  readonly fromServer: boolean
  readonly toServer: boolean
  readonly reason: string
}

/** The books of the way down: what entered each stream, and what its page got of it. */
export interface Downs {
  /** A page opens; with what another one left it in the tab. */
  born(page: string, place?: Place): void
  /** The server welcomes a page to this session. */
  welcoming(session: string, isResumed: boolean): void
  /** The store has not taken this message. */
  refused(session: string, number: number): void
  /** The server asks by this message, and waits for an answer for ever. */
  asked(number: number): void
  /** It waits no more: it was answered, or the session has ended. */
  settled(number: number): void
  /** The server sends something to all: who is not there must be told of a gap. */
  sharing(): void
  /**
   * What the store has not taken went with the server's process: nobody else can know of it. `isMarked`: the store knows
   * that this process has sent something to all.
   */
  ended(isMarked: boolean): void
  /** The session may be lost for this reason, and for no other. */
  excuse(session: string, reason: string): void
  /** The page's client is closed, to be opened again. */
  closed(page: string): void
  /** What a page leaves in its tab. */
  place(page: string): Place
  /** The place that was left to a page is the next one's: it had not taken it up. */
  passedOn(page: string): void
  appended(session: string, number: number): void
  snapshot(): StreamsSnapshot
  /** The store goes back in time, or forgets everything. */
  restore(snapshot: StreamsSnapshot): void
  welcomed(page: string, session: string, isResumed: boolean, cursors: Readonly<Record<string, number>>): void
  acknowledged(page: string, cursors: Readonly<Record<string, number>>): void
  /** A message has reached the page. */
  arrived(page: string, sequence: number, number: number): void
  /** The page acknowledges what it got up to this sequence. */
  acknowledging(page: string, sequence: number): void
  /** The page's application has bound its listener a moment ago: it knows what has waited for that. */
  listening(page: string): void
  /** The page's application is told of a message. */
  heard(page: string, number: number): void
  gap(page: string, gap: Gap): void
  /** Everything is at rest, and these pages are open. */
  rest(pages: readonly string[]): void
}

export type Place = Pick<Reader, 'session' | 'had'>

/** @param isForgetful whether streams wait for their clients so shortly that any may be forgotten */
export function createDowns({ check, count }: Verdict, isForgetful: boolean): Downs {
  const readers = new Map<string, Reader>()
  /** Session → why it may be lost. */
  const excuses = new Map<string, string>()
  let losses = 0
  /** Session → how often the server had lost memory when it welcomed its page last. */
  const lossesBefore = new Map<string, number>()
  let streams = new Map<string, number[]>()
  /** Session → what the store has not taken. */
  const holes = new Map<string, Set<number>>()
  /** The sessions that the server's process has. */
  const present = new Set<string>()
  /** Those that were not there when an earlier process sent something to all, or this one. */
  const absent = { before: new Set<string>(), now: new Set<string>() }
  /** With each state of the store, those that it knew to have been absent. */
  const absentThen = new WeakMap<StreamsSnapshot, ReadonlySet<string>>()
  /** What the server has asked. */
  const asks = new Set<number>()
  /** What streams held before the store went back in time: it may be on its way still. */
  const formerStreams = new Map<string, (readonly number[])[]>()

  const reader = (page: string): Reader => readers.get(page) as Reader
  const wasAbsent = (session = ''): boolean => absent.before.has(session) || absent.now.has(session)
  const held = (session = ''): readonly number[] => streams.get(session) ?? []

  return {
    born(page, place = { session: undefined, had: [] }) {
      readers.set(page, {
        ...place,
        untold: new Map(),
        told: new Set(),
        isGapDue: false,
        isForgotten: false,
        mayHaveGap: false,
        isLoose: false,
        isVague: false,
        acknowledged: new Map(),
      })
    },
    closed(page) {
      const mine = reader(page)
      mine.isLoose = mine.isVague = true
      mine.untold.clear()
      mine.acknowledged.clear()
      mine.told.clear()
    },
    welcoming(session, isResumed) {
      check(!isResumed || !wasAbsent(session), 'down-absent', () => `${session} goes on, and was not there for all`)
      present.add(session)
      lossesBefore.set(session, losses)
      const missing = [...(holes.get(session) ?? [])]
      check(!isResumed || !missing.length, 'down-hole', () => `${session} goes on without ${missing.join(' ')}`)
    },
    refused(session, number) {
      holes.set(session, (holes.get(session) ?? new Set()).add(number))
    },
    asked: (number) => void asks.add(number),
    settled: (number) => void asks.delete(number),
    sharing() {
      for (const session of lossesBefore.keys()) if (!present.has(session)) absent.now.add(session)
    },
    ended(isMarked) {
      holes.clear()
      asks.clear()
      present.clear()
      if (isMarked) for (const session of absent.now) absent.before.add(session)
      absent.now.clear()
    },
    excuse(session, reason) {
      excuses.set(session, reason)
    },
    place(page) {
      const { session, had } = reader(page)
      if (session !== undefined) excuses.set(session, 'shared')
      return { session, had: [...had] }
    },
    passedOn(page) {
      Object.assign(reader(page), { session: undefined, had: [] })
    },
    appended(session, number) {
      holes.get(session)?.delete(number)
      const stream = streams.get(session)
      if (stream) stream.push(number)
      else streams.set(session, [number])
    },
    snapshot() {
      const snapshot = new Map([...streams].map(([session, stream]) => [session, [...stream]]))
      absentThen.set(snapshot, new Set(absent.before))
      return snapshot
    },
    restore(snapshot) {
      losses++
      absent.before = new Set(absentThen.get(snapshot))
      for (const [session, stream] of streams)
        formerStreams.set(session, [...(formerStreams.get(session) ?? []), stream])
      streams = new Map([...snapshot].map(([session, stream]) => [session, [...stream]]))
    },
    welcomed(page, session, isResumed, cursors) {
      const mine = reader(page)
      count(isResumed ? 'resumed' : 'started')
      if (isResumed) {
        check(session === mine.session, 'down-session', () => `${page} resumes ${session}, and had ${mine.session}`)
      } else {
        const { session: old, isLoose } = mine
        const isExcused = isForgetful || isLoose || old === undefined || excuses.has(old) || wasAbsent(old)
        const hasLost = losses > (lossesBefore.get(old ?? '') ?? 0)
        check(isExcused || hasLost, 'gap-needless', () => `${page} has lost ${old}, and nothing was the matter with it`)
        mine.isGapDue = mine.session !== undefined && !mine.isLoose
        mine.session = session
        mine.had = []
        mine.told.clear()
      }
      // What waited for a listener on the last connection is forgotten: the server sends it again, or has lost it.
      mine.untold.clear()
      for (const [writer, cursor] of Object.entries(cursors)) {
        if (cursor < (mine.acknowledged.get(writer) ?? 0) && !mine.isVague) mine.isForgotten = true
        mine.acknowledged.set(writer, cursor)
      }
      mine.mayHaveGap = mine.isLoose
      mine.isLoose = false
    },
    acknowledged(page, cursors) {
      for (const [writer, cursor] of Object.entries(cursors)) reader(page).acknowledged.set(writer, cursor)
    },
    arrived(page, sequence, number) {
      const { had, untold } = reader(page)
      if (!had.includes(number)) untold.set(number, sequence)
    },
    acknowledging(page, upTo) {
      const early = [...reader(page).untold].filter(([, sequence]) => sequence <= upTo).map(([number]) => number)
      check(!early.length, 'down-early', () => `${page} acknowledges ${early.join(' ')} before it tells of it`)
    },
    listening(page) {
      const untold = [...reader(page).untold.keys()]
      check(!untold.length, 'down-late', () => `${page} listens, and is not told of ${untold.join(' ')}`)
    },
    heard(page, number) {
      const { session, had, untold, isGapDue, isForgotten } = reader(page)
      untold.delete(number)
      check(!isGapDue && !isForgotten, 'down-silent', () => `${page} gets ${number}, and not the gap event before it`)
      check(!had.includes(number), 'down-twice', () => `${page} gets ${number} twice`)
      const isNext = [held(session), ...(formerStreams.get(session ?? '') ?? [])].some(
        (stream) => stream[had.length] === number,
      )
      check(isNext, 'down-order', () => `${page} gets ${number} after ${had.join(' ')}, of ${held(session).join(' ')}`)
      had.push(number)
      reader(page).told.add(number)
    },
    gap(page, { fromServer, toServer, reason }) {
      const mine = reader(page)
      count(`gap ${[fromServer && 'down', toServer && 'up'].filter(Boolean).join(' and ')}: ${reason}`)
      if (mine.mayHaveGap) return void (mine.mayHaveGap = false)
      check(fromServer === mine.isGapDue, 'gap-down', () => `${page} is told ${fromServer} of a gap in what it gets`)
      check(
        mine.isVague || toServer === mine.isForgotten,
        'gap-up',
        () => `${page} is told ${toServer} of a gap in what it sent`,
      )
      mine.isGapDue = mine.isForgotten = false
    },
    rest(pages) {
      for (const page of pages) {
        const { session, had, isGapDue, isForgotten } = reader(page)
        check(!isGapDue && !isForgotten, 'down-silent', () => `${page} has never been told of a gap`)
        const open = [...reader(page).told].filter((number) => asks.has(number))
        check(!open.length, 'ask-open', () => `${page} was asked ${open.join(' ')}, and the server has no answer`)
        const missing = held(session).filter((number) => !had.includes(number))
        check(!missing.length, 'down-missing', () => `${page} has never got ${missing.join(' ')}`)
      }
    },
  }
}
