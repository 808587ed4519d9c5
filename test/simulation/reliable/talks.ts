import { messageId } from '../../../src/protocol/writer-id.js'
import { createExposures, type Exposures } from './exposures.js'
import type { Verdict } from './verdict.js'
import type { Link } from './wire.js'

/** What has been said on one link. */
interface Talk {
  stage: 'silent' | 'greeted' | 'hello' | 'welcomed'
  windowMessages: number
  /** Since `hello` or `resume`: `writer:sequence`. */
  sent: Set<string>
  /** Of those, what is not acknowledged: writer → sequences. */
  unacknowledged: Map<string, number[]>
  /** Writer → up to where the server is done with it. */
  cursors: Map<string, number>
  /** Whose the next message is if it does not say. */
  writer: string
}

/** Frames as they were parsed, with the fields that matter here. */
interface UpFrame {
  readonly t: string
  readonly w?: string
  readonly s: number
  readonly u?: 1
  readonly d?: { readonly n: number }
  readonly writers: Readonly<Record<string, number>>
}

interface DownFrame {
  readonly t: string
  readonly w: Readonly<Record<string, number>>
  readonly cursors: Readonly<Record<string, number>>
  readonly session: string
  readonly resumed: boolean
  readonly held?: true
  readonly code: string
  readonly window: { readonly messages: number }
}

/** A message of the server's stream. */
interface StreamFrame {
  readonly s: number
  readonly d: unknown
}

/** The books of the wire: whether each side keeps to the protocol. */
export interface Talks extends Pick<Exposures, 'took' | 'watch' | 'isNoting'> {
  up(link: Link, text: string): void
  down(link: Link, text: string): void
  heard(link: Link, text: string): void
  /** The application of the page is told of its session. */
  met(page: string): void
}

interface TalkListener {
  /** These writers go on beyond what the server knows of them. */
  held(writers: readonly string[]): void
  isStored(number: number): boolean
  /** Whether what the page sends waits for no store, since the page may end. */
  isHasty(page: string): boolean
  /** A message of the server's stream has reached the page. */
  arrived(page: string, sequence: number, number: number): void
  /** The page says that it is done with the stream up to this message. */
  acknowledging(page: string, sequence: number): void
  welcomed(page: string, session: string, isResumed: boolean, cursors: Readonly<Record<string, number>>): void
  acknowledged(page: string, cursors: Readonly<Record<string, number>>): void
}

/** How frames begin that say nothing of messages; and how those do that change what is known of a link. */
const IDLE = /^\{"t":"(?:p|o|a|r|v|auth|cancel)"/
const NEWS = /^\{"t":"(?:greeting|welcome|a)"/

/** Only a peer that breaks the protocol is told these. */
const PROTOCOL_ERRORS = new Set(['BAD_FRAME', 'SEQUENCE_GAP', 'BAD_ACK', 'RATE_LIMITED'])

/** @param isGreeting whether the applications of pages speak first on each connection */
export function createTalks({ check, count }: Verdict, listener: TalkListener, isGreeting = false): Talks {
  /** The pages that have not been told of the session on their connection. */
  const unmet = new Set<string>()
  const talks = new Map<number, Talk>()
  const exposures = createExposures()
  /** `writer:sequence` → the link that carried it first. */
  const firstLinks = new Map<string, number>()

  function talkOf({ id }: Link): Talk {
    let talk = talks.get(id)
    if (!talk) {
      talk = {
        stage: 'silent',
        windowMessages: 0,
        sent: new Set(),
        unacknowledged: new Map(),
        cursors: new Map(),
        writer: '',
      }
      talks.set(id, talk)
    }
    return talk
  }

  function restart(talk: Talk): void {
    talk.sent = new Set()
    talk.unacknowledged = new Map()
    talk.writer = ''
  }

  function checkMessage(link: Link, talk: Talk, { w = talk.writer, s, u, d }: UpFrame): void {
    const id = `${w}:${s}`
    talk.writer = w
    check(!unmet.has(link.page), 'wire-unmet', () => `${link.page} sends ${id} before its application is told`)
    check(!talk.sent.has(id), 'wire-twice', () => `${link.page} sends ${id} twice on one connection`)
    talk.sent.add(id)
    checkWindow(link, talk, w, s)
    const isRepeat = firstLinks.has(id) && firstLinks.get(id) !== link.id
    if (!firstLinks.has(id)) firstLinks.set(id, link.id)
    check(u === 1 || !isRepeat, 'wire-unflagged', () => `${link.page} sends ${id} again and does not say so`)
    const isUnsent = exposures.isUnsent(link, messageId(w, s))
    if (isUnsent) count('found unsent')
    const isFalse = isUnsent && u === 1
    check(!isFalse, 'wire-alarm', () => `${link.page} says that ${id} was sent before, and no connection had it`)
    const isSafe = d === undefined || listener.isStored(d.n) || listener.isHasty(link.page)
    check(isSafe, 'wire-unstored', () => `${link.page} sends ${id} before it is stored`)
  }

  function checkWindow(link: Link, talk: Talk, w: string, s: number): void {
    const sequences = talk.unacknowledged.get(w)
    // What the server is done with, since another page had sent it, needs no acknowledgement.
    if (s <= (talk.cursors.get(w) ?? 0)) return
    if (sequences) sequences.push(s)
    else talk.unacknowledged.set(w, [s])
    let inFlight = 0
    for (const list of talk.unacknowledged.values()) inFlight += list.length
    if (inFlight === talk.windowMessages) count('window full')
    check(inFlight <= talk.windowMessages, 'wire-window', () => `${link.page} has ${inFlight} messages on their way`)
  }

  function acknowledge(talk: Talk, cursors: Readonly<Record<string, number>>): void {
    for (const [writer, cursor] of Object.entries(cursors)) {
      talk.cursors.set(writer, cursor)
      const left = talk.unacknowledged.get(writer)?.filter((sequence) => sequence > cursor)
      if (left) talk.unacknowledged.set(writer, left)
    }
  }

  return {
    took: exposures.took,
    watch: exposures.watch,
    isNoting: exposures.isNoting,
    met: (page) => void unmet.delete(page),
    up(link, text) {
      const talk = talkOf(link)
      if (text.startsWith('{"t":"a"')) listener.acknowledging(link.page, (JSON.parse(text) as UpFrame).s)
      // Most frames are these, and parsing them all would cost as much as the run.
      if (talk.stage === 'welcomed' && IDLE.test(text)) return
      const frame = JSON.parse(text) as UpFrame
      const { t } = frame
      check(talk.stage !== 'silent', 'wire-order', () => `${link.page} says ${text} before it was greeted`)
      const isHello = talk.stage === 'greeted'
      check(isHello === (t === 'hello'), 'wire-order', () => `${link.page} says ${text} when it is ${talk.stage}`)
      if (t === 'hello') {
        talk.stage = 'hello'
        if (isGreeting) unmet.add(link.page)
        exposures.connected(link)
      }
      if (t === 'skip') talk.writer = frame.w ?? ''
      else if (t === 'm') checkMessage(link, talk, frame)
      else if (t === 'resume') {
        count('resume')
        listener.held(Object.keys(frame.writers))
        restart(talk)
      }
    },
    down(link, text) {
      if (!text.startsWith('{"t":"error"')) return
      const frame = JSON.parse(text) as DownFrame
      count(`error ${frame.code}`)
      check(!PROTOCOL_ERRORS.has(frame.code), 'wire-error', () => `the server says to ${link.page}: ${text}`)
    },
    heard(link, text) {
      if (text.startsWith('{"t":"m"')) {
        const { s, d } = JSON.parse(text) as StreamFrame
        return listener.arrived(link.page, s, [d].flat()[0] as number)
      }
      if (!NEWS.test(text)) return
      const frame = JSON.parse(text) as DownFrame
      const talk = talkOf(link)
      if (frame.t === 'greeting') {
        talk.stage = 'greeted'
        talk.windowMessages = frame.window.messages
      } else if (frame.t === 'welcome') {
        talk.stage = 'welcomed'
        // The server has ignored what was sent so far.
        if (frame.held) for (const id of talk.sent) if (firstLinks.get(id) === link.id) firstLinks.delete(id)
        acknowledge(talk, frame.cursors)
        listener.welcomed(link.page, frame.session, frame.resumed, frame.cursors)
      } else if (frame.t === 'a') {
        acknowledge(talk, frame.w)
        listener.acknowledged(link.page, frame.w)
      }
    },
  }
}
