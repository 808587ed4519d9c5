import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'

/**
 * One rule of the protocol each, broken on purpose in a copy of the sources. A simulation that does not notice has a
 * hole. `from` must stand in the file exactly once.
 */
const MUTANTS = [
  {
    name: 'server looks no cursors up: what was handled is handled again',
    file: 'src/server/connection/receiver.ts',
    from: 'cursors.get(writer), true)',
    to: 'undefined, true)',
  },
  {
    name: 'server takes the last message for a gap when it is repeated',
    file: 'src/protocol/acknowledgement.ts',
    from: "sequence <= last ? 'repeat'",
    to: "sequence < last ? 'repeat'",
  },
  {
    name: 'client does not rewind after a reconnect',
    file: 'src/dialects/reliable/reliable-protocol.ts',
    from: 'const next = queue.peek()\n      queue.rewind()',
    to: 'const next = queue.peek()',
  },
  {
    name: 'client does not rewind after a hold',
    file: 'src/dialects/reliable/reliable-protocol.ts',
    from: 'if (held) {\n      queue.rewind()',
    to: 'if (held) {',
  },
  {
    name: 'server does not hold the first flight where something is lost',
    file: 'src/server/ordering/incoming-messages.ts',
    from: '+ 1) this.#isHeld = true',
    to: '+ 1) this.#isHeld = false',
  },
  {
    name: 'resume does not lift the hold',
    file: 'src/server/connection/receiver.ts',
    from: 'this.#incoming.lift()\n',
    to: '',
  },
  {
    name: 'resume does not raise the cursors',
    file: 'src/server/connection/receiver.ts',
    from: 'this.#raise(named, lift)',
    to: 'lift()',
  },
  {
    name: 'server leaves the older connection of a session alone',
    file: 'src/server/session/session.ts',
    from: "old?.close(SUPERSEDED, 'superseded', superseded())",
    to: '',
  },
  {
    name: 'client that was superseded comes back for its session',
    file: 'src/dialects/reliable/reliable-protocol.ts',
    from: 'if (closeCode === SUPERSEDED && place) {',
    to: 'if (false) {',
  },
  {
    name: 'client does not flag what may have been on a wire before',
    file: 'src/dialects/reliable/reliable-protocol.ts',
    from: '...(wasSent && { u: 1 }),',
    to: '',
  },
  {
    name: 'what is found in storage is taken for never sent',
    file: 'src/outbox/outbox.ts',
    from: 'entry.isAdopted = entry.wasSent = true',
    to: 'entry.isAdopted = true',
  },
  {
    name: 'handlers are never told of a possible duplicate',
    file: 'src/server/session/handler-queue.ts',
    from: 'message.isRetransmitted && !lane.cursor.hasSeenAll',
    to: 'false',
  },
  {
    name: 'handlers are told of a possible duplicate at every repeat',
    file: 'src/server/session/handler-queue.ts',
    from: 'message.isRetransmitted && !lane.cursor.hasSeenAll',
    to: 'message.isRetransmitted',
  },
  {
    name: 'a server process is witness of what another one has seen',
    file: 'src/server/stores/memory-cursors.ts',
    from: 'row.witness === witness',
    to: 'row.witness !== undefined',
  },
  {
    name: 'server does not compare the tag of the place that it resumes',
    file: 'src/server/stores/memory-streams.ts',
    from: 'return s > 0 && g !==',
    to: 'return s < 0 && g !==',
  },
  {
    name: 'all pages write under one id',
    file: 'src/outbox/persistence.ts',
    from: 'writer = platform.createId()',
    to: "writer = 'writer'",
  },
  {
    name: 'server acknowledges one too many',
    file: 'src/server/ordering/incoming-messages.ts',
    from: 'numbers.push([writer, n])',
    to: 'numbers.push([writer, n + 1])',
  },
  {
    name: 'server acknowledges what it has received, not what it has handled',
    file: 'src/server/ordering/writer-state.ts',
    from: 'return Math.min(this.lane.cursor.n, this.last)',
    to: 'return this.last',
  },
  {
    name: 'server advances the cursor before the handler is done',
    file: 'src/server/ordering/writer-lane.ts',
    from: 'this.#running = running\n',
    to: 'this.#running = running\n    this.#cursor = { ...this.#cursor, n: running.sequence }\n',
  },
  {
    name: 'client acknowledges one too many',
    file: 'src/dialects/reliable/reliable-protocol.ts',
    from: "say({ t: 'a', s: place.s })",
    to: "say({ t: 'a', s: place.s + 1 })",
  },
  {
    name: 'nobody gives up a silent link',
    file: 'src/protocol/heartbeat.ts',
    from: 'pongBy = Math.min(pongBy, now + timeout)',
    to: 'pongBy = Infinity',
  },
  {
    name: 'server forgets that a stream has overflowed',
    file: 'src/server/session/stream-writer.ts',
    from: "if (result === 'overflow') return this.#incomplete('overflow')",
    to: "if (result === 'overflow') return",
  },
  {
    name: 'server does not notice that its store went back in time',
    file: 'src/server/session/stream-writer.ts',
    from: "if (result.sequence !== ++this.#stored) return this.#incomplete('lost')",
    to: '',
  },
  {
    name: 'client says nothing of a gap',
    file: 'src/dialects/reliable/reliable-protocol.ts',
    from: "return gap.fromServer || gap.toServer ? [ready, { type: 'gap', gap }] : [ready]",
    to: 'return [ready]',
  },
  {
    name: 'client does not notice that the server has forgotten',
    file: 'src/dialects/reliable/reliable-protocol.ts',
    from: 'toServer: writers.isForgotten(cursors)',
    to: 'toServer: false',
  },
  {
    name: 'client does not say what it leaps over',
    file: 'src/dialects/reliable/reliable-protocol.ts',
    from: "if (!writers.isNext(writer, sequence)) say({ t: 'skip', w: writer, s: sequence })",
    to: '',
  },
  {
    name: 'server does not heed what is leapt over',
    file: 'src/server/connection/receiver.ts',
    from: 'this.#incoming.skip(writer, sequence)',
    to: '',
  },
  {
    name: 'client does not heed the window',
    file: 'src/dialects/reliable/reliable-protocol.ts',
    from: 'if (!fits(bytes)) return false',
    to: '',
  },
  {
    name: 'client sends before it has stored',
    file: 'src/outbox/outbox.ts',
    from: 'return entry?.isStored ? entry : undefined',
    to: 'return entry',
  },
  {
    name: 'client does not strike off the disk what is delivered',
    file: 'src/outbox/outbox.ts',
    from: 'journal.settle(entry)',
    to: '',
  },
  {
    name: 'each connection has a lane of its own',
    file: 'src/server/ordering/writer-lane.ts',
    from: 'const lane = this.#lanes.get(key) ?? this.#create(key',
    to: 'const lane = this.#create(key',
  },
  {
    name: 'server forgets what its store could not keep',
    file: 'src/server/session/handler-queue.ts',
    from: 'lane.keepUnpersisted(cursor)',
    to: '',
  },
  {
    name: 'a welcome does not name what was rejected',
    file: 'src/server/ordering/incoming-messages.ts',
    from: 'no.push(...rejected.filter(([, sequence]) => sequence >= goesOnAt))',
    to: '',
  },
  {
    name: 'client forgets a rejection whose turn has not come',
    file: 'src/dialects/reliable/reliable-protocol.ts',
    from: 'writers.acknowledged(cursors)\n',
    to: 'writers.acknowledged(cursors)\n    rejections.clear()\n',
  },
  {
    name: 'an attempt to resume is let in although a later one was first',
    file: 'src/server/stores/memory-streams.ts',
    from: 'count <= known.resumptions',
    to: 'count < 0',
  },
  {
    name: 'requests wait for answers that were lost with the session',
    file: 'src/dialects/reliable/reliable-protocol.ts',
    from: 'if (!resumed) queue.loseAnswers()',
    to: '',
  },
  {
    name: 'a reply is not kept for a client that is away',
    file: 'src/server/session/handler-queue.ts',
    from: 'if (message.isRequest) call.reply',
    to: 'if (message.isRequest && this.#source) call.reply',
  },
  {
    name: 'who comes while a request is concluded gets no reply',
    file: 'src/server/session/handler-queue.ts',
    from: 'target.append(this.#reply)\n',
    to: '',
  },
  {
    name: 'who has named the writer before a request begins gets no reply',
    file: 'src/server/connection/receiver.ts',
    from: 'this.#incoming.began(writer)?.join(this.#session)',
    to: 'this.#incoming.began(writer)',
  },
  {
    name: 'a request is not answered whose reply never entered its stream',
    file: 'src/server/ordering/writer-state.ts',
    from: 'isCovered && !isResumed ? 0 : n',
    to: 'isCovered || isResumed ? 0 : n',
  },
  {
    name: 'a session that has ended for want of a message is turned away only once',
    file: 'src/server/engine/tombstones.ts',
    from: 'has: (id) => addedAt.has(id)',
    to: 'has: (id) => addedAt.delete(id)',
  },
  {
    name: 'a session goes on that has ended for want of a message',
    file: 'src/server/session/stream-writer.ts',
    from: "this.#pending?.size && reason !== 'bye'",
    to: 'this.#pending?.size && (KEPT_IN_STORE.has(reason) || this.#isDoubted)',
  },
  {
    name: 'a server that drains heeds what is leapt over',
    file: 'src/server/connection/receiver.ts',
    from: 'if (this.#host.isDraining) return\n',
    to: '',
  },
  {
    name: 'what waits behind a message waits on when the store refuses that',
    file: 'src/outbox/outbox.ts',
    from: 'listener.ready() // Others have waited behind them.',
    to: '',
  },
]

const COPIED = ['src', 'test/simulation', 'scripts/simulate.mjs', 'package.json', 'tsconfig.json']
const TIMEOUT_MS = 600_000

const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '6000' }, only: { type: 'string', default: '' } },
})
const root = resolve(import.meta.dirname, '..')
const copy = mkdtempSync(join(tmpdir(), 'mutate-'))
try {
  for (const path of COPIED) cpSync(join(root, path), join(copy, path), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  const { simulate } = await import(pathToFileURL(join(copy, 'scripts/simulate.mjs')).href)
  const run = () => simulate({ seeds: Number(values.seeds), isBrief: true, timeoutMs: TIMEOUT_MS })
  const mutants = MUTANTS.filter(({ name }) => name.includes(values.only))
  let survivors = 0
  for (const mutant of mutants) {
    const verdict = await judge(mutant, run)
    if (!verdict.isKilled) survivors++
    console.log(`${verdict.isKilled ? 'killed  ' : 'SURVIVED'}  ${verdict.words.padEnd(28)}  ${mutant.name}`)
  }
  console.log(`\n${mutants.length - survivors} of ${mutants.length} mutants killed`)
  process.exitCode = survivors ? 1 : 0
} finally {
  rmSync(copy, { recursive: true, force: true })
}

/** Puts the mutant into the copy, runs the simulation, and takes it out again. */
async function judge({ file, from, to }, run) {
  const path = join(copy, file)
  const text = readFileSync(path, 'utf8')
  const times = text.split(from).length - 1
  if (times !== 1) return { isKilled: false, words: `pattern found ${times} times` }
  writeFileSync(
    path,
    text.replace(from, () => to),
  )
  try {
    const { failures, ran } = await run()
    const [first] = failures
    return { isKilled: failures.length > 0, words: first ? `seed ${first.seed} ${first.check}` : `${ran} seeds` }
  } finally {
    writeFileSync(path, text)
  }
}
