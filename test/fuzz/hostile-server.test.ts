import * as fc from 'fast-check'
import { afterAll, expect, test, vi } from 'vitest'
import { HoldfastError } from '../../src/shared/errors.js'
import { TRANSITIONS } from '../../src/connection/state.js'
import type { FakeLink } from '../support/fake-platform.js'
import { GREETING, setStage, WELCOME, type Frame } from '../support/reliable-stage.js'

/** How many servers are tried: `RUNS=200000` for a night, few for a day. */
const RUNS = Number(process.env['RUNS'] ?? 150)

vi.setConfig({ testTimeout: 3_600_000 })

let fuzzed = 0
/** How often the fuzzer got where: a fuzzer that is always turned away at the door proves nothing. */
const reached: Record<string, number> = {}
const reach = (what: string): void => void (reached[what] = (reached[what] ?? 0) + 1)

afterAll(() => console.log(`${fuzzed} frames of hostile servers`, reached))

/** Nothing of a run may end unheard. */
const unhandled: unknown[] = []
process.on('unhandledRejection', (reason) => unhandled.push(reason))

const OWN = 'id-1~id-2'
const sequence = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 8 }) },
  { weight: 1, arbitrary: fc.constantFrom(-1, 0.5, 2 ** 53 - 1, 2 ** 53, 1e300, NaN, '1', null, true) },
)
const writer = fc.constantFrom(
  OWN,
  OWN,
  OWN,
  'old',
  'stranger',
  '',
  '__proto__',
  'constructor',
  'x'.repeat(65),
  5,
  null,
)
const text = fc.constantFrom('REJECTED', 'NO_HANDLER', 'toString', '', 'x'.repeat(1_000), 5, null, undefined)
const name = fc.constantFrom('news', 'news', '__proto__', 'error', '', 'x'.repeat(257), 5)
const someCursors = fc.oneof(
  fc.dictionary(fc.constantFrom(OWN, OWN, 'old', 'stranger', '__proto__'), sequence, { maxKeys: 3 }),
  fc.constantFrom(null, [], 5, 'all', undefined),
)
const rejections = fc.oneof(
  fc.array(fc.tuple(writer, sequence, text, text), { maxLength: 3 }),
  fc.constantFrom(undefined, null, [[]], [[OWN]], {}, 'no'),
)
const deep = '['.repeat(5_000) + ']'.repeat(5_000)
const giant = JSON.stringify('x'.repeat(300_000))

const frame = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.oneof(
      fc.constant(GREETING),
      fc.record({
        t: fc.constant('greeting'),
        v: fc.constantFrom(1, 1, 1, 2, '1', undefined),
        frame: fc.constantFrom(1, 50, 2 ** 20, 0, 'big'),
        window: fc.oneof(fc.record({ messages: sequence, bytes: sequence }), fc.constantFrom(null, [], 5)),
        heartbeat: fc.oneof(
          fc.record({ interval: fc.constantFrom(1_000, 2 ** 53 - 1), timeout: sequence }),
          fc.constant(1),
        ),
      }),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.oneof(
      fc.constant(WELCOME),
      fc.record({
        t: fc.constant('welcome'),
        session: fc.constantFrom('S1', 'S1', 'S2', '', 5),
        resumed: fc.constantFrom(true, false, 'yes'),
        lost: text,
        cursors: someCursors,
        no: rejections,
        held: fc.constantFrom(true, undefined, undefined, false),
      }),
    ),
  },
  { weight: 6, arbitrary: fc.record({ t: fc.constant('a'), w: someCursors, no: rejections }) },
  {
    weight: 6,
    arbitrary: fc.record({ t: fc.constant('m'), s: sequence, g: fc.constantFrom('g', 5, ''), e: name, d: text }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      t: fc.constant('r'),
      s: sequence,
      g: fc.constant('g'),
      w: writer,
      n: sequence,
      d: text,
      error: fc.oneof(fc.record({ code: text, message: text }), fc.constantFrom(undefined, null, 'no')),
    }),
  },
  { weight: 2, arbitrary: fc.record({ t: fc.constant('v'), e: name, d: text }) },
  {
    weight: 2,
    arbitrary: fc.record({ t: fc.constantFrom('p', 'o', 'bye', 'hello', 'skip', 'resume', 'toString', '') }),
  },
  { weight: 1, arbitrary: fc.record({ t: fc.constantFrom('reauth', 'drain'), within: sequence, after: sequence }) },
  {
    weight: 1,
    arbitrary: fc.record({
      t: fc.constant('error'),
      code: text,
      message: text,
      after: fc.constantFrom(undefined, 0, 1_000, 2 ** 53 - 1, -1, '5'),
    }),
  },
)

const wire = fc.oneof(
  { weight: 12, arbitrary: frame.map((value) => JSON.stringify(value)) },
  {
    weight: 1,
    arbitrary: fc.oneof(
      fc.constantFrom(
        deep,
        giant,
        '',
        '{',
        'null',
        '[]',
        '"m"',
        `{"t":${deep}}`,
        `{"t":"m","s":1,"g":"g","e":"news","d":${deep}}`,
      ),
      fc.constantFrom(`{"t":"m","s":1,"g":"g","e":"news","d":${giant}}`, '{"t":"a","w":{"__proto__":{"x":1}}}'),
      fc.string(),
      fc.json(),
    ),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 20 }).map((bytes) => bytes.slice().buffer) },
)

type Step =
  /** Anything at all. */
  | { readonly say: readonly (string | ArrayBuffer)[] }
  /** What an honest server could say now. */
  | { readonly honest: 'm' | 'r' | 'a' | 'no'; readonly n: number }
  /** How the next connections begin; the rest of them honestly. */
  | { readonly greet: readonly (string | ArrayBuffer)[] }
  | { readonly send: number }
  | { readonly ask: number }
  | { readonly wait: number }
  | { readonly close: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ say: fc.array(wire, { minLength: 1, maxLength: 3 }) }) },
  {
    weight: 10,
    arbitrary: fc.record({ honest: fc.constantFrom('m', 'r', 'a', 'no'), n: fc.integer({ min: 1, max: 4 }) }),
  },
  { weight: 1, arbitrary: fc.record({ greet: fc.array(wire, { maxLength: 2 }) }) },
  // A flood of one frame.
  { weight: 1, arbitrary: wire.map((one) => ({ say: Array.from({ length: 200 }, () => one) })) },
  { weight: 6, arbitrary: fc.record({ send: fc.integer({ min: 0, max: 100 }) }) },
  { weight: 4, arbitrary: fc.record({ ask: fc.constantFrom(10, 60_000) }) },
  { weight: 4, arbitrary: fc.record({ wait: fc.constantFrom(1, 30, 1_000, 1_000, 1_000, 20_000) }) },
  {
    weight: 1,
    arbitrary: fc.record({ close: fc.constantFrom(1000, 1006, 1009, 1012, 4000, 4400, 4401, 4403, 4409, 4429) }),
  },
)

/** A server that is honest where the fuzzer lets it be. */
function createServer(greetings: (string | ArrayBuffer)[][]) {
  const server = {
    session: 'S1',
    sequence: 0,
    cursor: 0,
    link: undefined as FakeLink | undefined,
    frames: (): Frame[] => (server.link?.written ?? []).map((one) => JSON.parse(String(one)) as Frame),
    greet(link: FakeLink): void {
      server.link = link
      link.accept()
      const foul = greetings.shift()
      if (foul) return foul.forEach((one) => link.deliver(one))
      link.deliver(JSON.stringify(GREETING))
      const [hello = {}] = server.frames()
      const stream = hello['stream'] as { id: string; s: number } | undefined
      const resumed = stream?.id === server.session
      if (!resumed) server.session += 'x'
      server.sequence = resumed ? stream.s : 0
      const goesOn = (hello['writers'] as Record<string, number>)[OWN]
      const cursors = goesOn === undefined ? {} : { [OWN]: server.cursor }
      const held = goesOn !== undefined && goesOn > server.cursor + 1 ? { held: true } : {}
      link.deliver(JSON.stringify({ ...WELCOME, session: server.session, resumed, cursors, ...held }))
    },
    say(what: 'm' | 'r' | 'a' | 'no', n: number): Frame {
      if (what === 'm') return { t: 'm', s: ++server.sequence, g: 'g', e: 'news', d: n }
      if (what === 'r') return { t: 'r', s: ++server.sequence, g: 'g', w: OWN, n, d: 'yes' }
      const sequences = server.frames().flatMap(({ t, s }) => (t === 'm' ? [s as number] : []))
      server.cursor = Math.max(server.cursor, ...sequences)
      const no = what === 'no' ? [[OWN, server.cursor || 1, 'NO', 'not you']] : []
      return { t: 'a', w: server.cursor ? { [OWN]: server.cursor } : {}, no }
    },
  }
  return server
}

test('whatever a server says, nothing but a typed error comes of it, and nothing is lost', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (steps) => {
      const stage = setStage({ auth: () => 'ticket' })
      const { client, platform, errors } = stage
      const told = new Map<string, string[]>()
      const note = (id: string, what: string): void => {
        told.set(id, [...(told.get(id) ?? []), what])
        reach(what)
      }
      client.lifecycle.on('delivered', ({ id }) => note(id, 'delivered'))
      client.lifecycle.on('failed', ({ id, error }) => {
        note(id, 'failed')
        reach(error?.code ?? 'nothing')
      })
      const fates: unknown[] = []
      let asked = 0
      const sent: string[] = []
      const greetings: (string | ArrayBuffer)[][] = []
      const server = createServer(greetings)
      platform.onDial = (link) => queueMicrotask(() => server.greet(link))
      client.connect()
      await platform.settle()

      for (const each of steps) {
        if ('say' in each) {
          fuzzed += each.say.length
          stage.say(...each.say)
        } else if ('honest' in each) {
          stage.say(server.say(each.honest, each.n))
        } else if ('greet' in each) {
          greetings.push([...each.greet])
        } else if ('send' in each) {
          sent.push(client.send('m', 'x'.repeat(each.send)).id)
        } else if ('ask' in each) {
          asked++
          client.request('ask', 1, { timeoutMs: each.ask }).then(
            (value) => {
              reach('answered')
              fates.push(value)
            },
            (error: unknown) => {
              reach((error as HoldfastError).code)
              expect(error).toBeInstanceOf(HoldfastError)
              fates.push(error)
            },
          )
        } else if ('wait' in each) {
          if (client.getState().status === 'closed') client.connect()
          await platform.advance(each.wait)
        } else {
          platform.link.close(each.close)
        }
        const state = client.getState()
        reach(state.status)
        expect(Object.keys(TRANSITIONS)).toContain(state.status)
        if ('error' in state && state.error) expect(state.error).toBeInstanceOf(HoldfastError)
        // Our messages are each where they are or where they have gone, and told of once.
        const waiting = new Set(client.outbox.list().map(({ id }) => id))
        for (const id of sent)
          expect([id, waiting.has(id) ? 1 : 0, told.get(id)?.length ?? 0]).toEqual([
            id,
            ...(waiting.has(id) ? [1, 0] : [0, 1]),
          ])
        expect(state.pending).toBeGreaterThanOrEqual(waiting.size)
      }

      for (const error of errors) {
        expect(error).toBeInstanceOf(HoldfastError)
        reach(error.code)
      }
      expect(platform.thrown).toEqual([])
      await client.close()
      await platform.settle()
      expect(fates).toHaveLength(asked)
      expect(client.getState()).toMatchObject({ status: 'closed', pending: 0 })
      expect([platform.clock.timers, platform.liveLinks.length, platform.watchers]).toEqual([0, 0, 0])
      expect(unhandled).toEqual([])
    }),
    { numRuns: RUNS },
  )

  expect(Object.keys(reached)).toEqual(expect.arrayContaining(['connected', 'waiting', 'closed', 'delivered']))
  // The rarer ones, such as BAD_ACK, are printed.
  expect(Object.keys(reached)).toContain('BAD_FRAME')
})
