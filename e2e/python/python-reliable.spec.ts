import { memoryStreams } from '../../src/server.js'
import { type Companion, pythonFixtures, type PythonFixtures, valuesOf } from './fixtures.js'
import type { Program } from './program.js'
import { numbers, unique } from '../support/numbers.js'
import { expect, test as base } from '../support/test.js'

const test = base.extend<PythonFixtures>(pythonFixtures)

/** Each side says a hundred numbers to the other. */
function exchange(from: number, client: Program, { sessions }: Companion): void {
  client.tell({ send: numbers(100, from) })
  for (const number of numbers(100, from)) sessions.at(-1)?.send('number', number)
}

/** Resolves when both sides have what `exchange` said. */
async function exchanged(from: number, client: Program): Promise<void> {
  await client.line(({ sent }) => sent === from + 99)
  await client.line(({ received }) => received === from + 99)
}

test('a client written from PROTOCOL.md says and hears each number once and in order', async ({ run, open }) => {
  const streams = memoryStreams()
  const limits = { window: { messages: 20, bytes: 1_000 } }
  const first = await open({ streams, limits })
  const client = await run('holdfast_program.py', first.link.url, 'secret')
  await client.line((line) => 'resumed' in line)

  first.link.cutAfter(500, 'up')
  exchange(0, client, first)
  await exchanged(0, client)
  first.link.cutAfter(500, 'down')
  exchange(100, client, first)
  await exchanged(100, client)
  first.link.blackhole()
  exchange(200, client, first)
  await client.line(({ closed }) => closed === 4000)
  await first.link.heal()
  await exchanged(200, client)
  exchange(300, client, first)
  const { port } = await first.server.listening
  await first.server.close()
  const second = await open({ streams, limits, port })
  await exchanged(300, client)
  exchange(400, client, second)
  await exchanged(400, client)

  const handled = [...first.handled, ...second.handled]
  expect(handled.map(({ number }) => number)).toEqual(numbers(500))
  expect(valuesOf(client.lines, 'received')).toEqual(numbers(500))
  expect(valuesOf(client.lines, 'sent')).toEqual(numbers(500))
  // One writer, without its secret.
  expect(unique(handled.map(({ id }) => id.replace(/:\d+$/, '')))).toEqual([expect.stringMatching(/^[\w-]{22}$/)])
  expect(handled.some(({ isRetransmitted }) => isRetransmitted)).toBe(true)
  expect(unique(valuesOf(client.lines, 'closed'))).toEqual([1006, 4000, 1001])
  const resumed = valuesOf(client.lines, 'resumed')
  expect(resumed.length).toBeGreaterThanOrEqual(5)
  expect(resumed).toEqual([false, ...resumed.slice(1).map(() => true)])
  expect(valuesOf(client.lines, 'gap')).toEqual([])
})

test('the Python client gets replies and rejections', async ({ run, open }) => {
  const { link, handled } = await open()
  const client = await run('holdfast_program.py', link.url, 'secret')

  client.tell({ request: 'double', data: 21 })
  client.tell({ request: 'fail', data: 'no such room' })
  client.tell({ send: [1, -1, 2] })

  expect(await client.line(({ asked }) => asked === 21)).toEqual({ asked: 21, result: 42 })
  expect(await client.line(({ asked }) => asked === 'no such room')).toMatchObject({ failed: 'REJECTED' })
  expect(await client.line(({ sent }) => sent === -1)).toEqual({ sent: -1, failed: 'REJECTED' })
  expect(await client.line(({ sent }) => sent === 2)).toEqual({ sent: 2, result: null })
  expect(handled.map(({ number }) => number)).toEqual([1, 2])
})

test('the Python client answers what it is asked, also where the link loses the answer', async ({ run, open }) => {
  const { link, sessions } = await open()
  const client = await run('holdfast_program.py', link.url, 'secret')
  await client.line((line) => 'resumed' in line)
  const [session] = sessions
  const codeOf = (answer: Promise<unknown> | undefined): Promise<unknown> | undefined =>
    answer?.catch((error: unknown) => (error as { code: string }).code)

  expect(await session?.ask('half', 42)).toBe(21)
  expect(await codeOf(session?.ask('half', 'no number'))).toBe('REJECTED')
  expect(await codeOf(session?.ask('unknown'))).toBe('NO_HANDLER')

  link.blackhole('up')
  const late = session?.ask('half', 2)
  await client.line(({ halved }) => halved === 2)
  link.cut()
  await link.heal()
  expect(await late).toBe(1)
  expect(valuesOf(client.lines, 'halved')).toEqual([42, 'no number', 2])
  expect(valuesOf(client.lines, 'gap')).toEqual([])
})

test('the Python client is refused with 4401, and accepted with a fresh credential', async ({ run, open }) => {
  const { link } = await open()

  const client = await run('holdfast_program.py', link.url, 'outdated', 'secret')
  await client.line((line) => 'resumed' in line)

  expect(client.lines.slice(0, 2)).toEqual([{ error: 'UNAUTHORIZED' }, { closed: 4401 }])
})

test('the Python client that is refused twice stops', async ({ run, open }) => {
  const { link } = await open()

  const client = await run('holdfast_program.py', link.url, 'outdated')
  await client.line((line) => 'ended' in line)

  expect(valuesOf(client.lines, 'closed')).toEqual([4401, 4401])
  expect(link.stats.acceptedConnections).toBe(2)
})

test('the Python client proves who it is again when it is asked to', async ({ run, open }) => {
  const shown: unknown[] = []
  const { link } = await open({
    authenticate({ auth }) {
      shown.push(auth)
      return { user: 'ann', expiresAt: Date.now() + 2_000 }
    },
  })

  const client = await run('holdfast_program.py', link.url, 'first', 'second')
  await expect.poll(() => shown.slice(0, 3)).toEqual(['first', 'second', 'second'])

  expect(valuesOf(client.lines, 'closed')).toEqual([])
})

test('the Python client is told one gap when its session has ended, and goes on', async ({ run, open }) => {
  const { link, sessions, handled } = await open()
  const client = await run('holdfast_program.py', link.url, 'secret')
  client.tell({ send: [1] })
  await client.line(({ sent }) => sent === 1)

  link.blackhole('down')
  sessions[0]?.send('number', 404)
  client.tell({ send: [2], request: 'double', data: 21 })
  await expect.poll(() => handled.length).toBe(2)
  sessions[0]?.close(4999, 'moved')
  link.cut()
  await link.heal()
  await client.line(({ sent }) => sent === 2)
  sessions[1]?.send('number', 405)
  await client.line(({ received }) => received === 405)

  expect(valuesOf(client.lines, 'resumed')).toEqual([false, false])
  expect(client.lines.filter((line) => 'gap' in line)).toEqual([{ gap: 'unknown', forgotten: false }])
  expect(await client.line(({ asked }) => asked === 21)).toEqual({ asked: 21, failed: 'RESULT_LOST' })
  expect(valuesOf(client.lines, 'received')).toEqual([405])
  expect(handled.map(({ number }) => number)).toEqual([1, 2])
})

test('a server that has lost its memory holds the Python client, which tells one gap', async ({ run, open }) => {
  const first = await open()
  const client = await run('holdfast_program.py', first.link.url, 'secret')
  client.tell({ send: [1, 2] })
  await client.line(({ sent }) => sent === 2)

  const { port } = await first.server.listening
  await first.server.close()
  const second = await open({ port })
  client.tell({ send: [3, 4] })
  await client.line(({ sent }) => sent === 4)

  expect(client.lines.filter((line) => 'resumed' in line)[1]).toEqual({ resumed: false, lost: 'unknown', held: true })
  expect(client.lines.filter((line) => 'gap' in line)).toEqual([{ gap: 'unknown', forgotten: true }])
  expect(second.handled.map(({ number }) => number)).toEqual([3, 4])
})

test('the Python client leaps over a message that is too long, and all others come', async ({ run, open }) => {
  const { link, handled } = await open({ limits: { frameBytesMax: 10_000 } })
  const client = await run('holdfast_program.py', link.url, 'secret')

  client.tell({ send: [1, 'x'.repeat(10_000), 2] })

  await client.line(({ sent }) => sent === 2)
  expect(valuesOf(client.lines, 'failed')).toEqual(['TOO_LARGE'])
  expect(valuesOf(client.lines, 'closed')).toEqual([])
  expect(handled.map(({ number }) => number)).toEqual([1, 2])
})

test('the Python client stays away as long as a draining server asks, and resumes', async ({ run, open }) => {
  const streams = memoryStreams()
  const { server, link } = await open({ streams })
  const client = await run('holdfast_program.py', link.url, 'secret')
  await client.line((line) => 'resumed' in line)

  const closedAt = client.line((line) => 'closed' in line).then(() => Date.now())
  await server.drain({ windowMs: 1_000 })
  const { port } = await server.listening
  await server.close()
  await open({ streams, port })
  await client.line(({ resumed }) => resumed === true)
  const backAt = Date.now()

  expect(valuesOf(client.lines, 'closed')[0]).toBe(1012)
  const { drain } = await client.line((line) => 'drain' in line)
  expect(backAt - (await closedAt)).toBeGreaterThanOrEqual(Number(drain) - 2) // Two clocks, each rounded.
})

for (const { code, outcome } of [
  { code: 1000, outcome: 'stops' },
  { code: 4404, outcome: 'stops' },
  { code: 4999, outcome: 'comes back' },
]) {
  test(`the Python client ${outcome} when the application closes with ${code}`, async ({ run, open }) => {
    const { link, sessions } = await open()
    const client = await run('holdfast_program.py', link.url, 'secret')
    await client.line((line) => 'resumed' in line)

    sessions[0]?.close(code, 'because')

    if (outcome === 'stops') expect(await client.line((line) => 'ended' in line)).toEqual({ ended: code })
    else await client.line(({ lost }) => lost === 'unknown')
  })
}

test('the Python client knows what it leapt over when the server calls it done with', async ({ run, open }) => {
  const { link, handled } = await open({ limits: { frameBytesMax: 10_000 } })
  const client = await run('holdfast_program.py', link.url, 'secret')
  client.tell({ send: [1, 'x'.repeat(10_000)] })
  await client.line((line) => 'failed' in line)
  await client.line(({ sent }) => sent === 1)

  for (const connection of [2, 3]) {
    link.cut()
    await expect.poll(() => valuesOf(client.lines, 'resumed').length).toBe(connection)
  }
  client.tell({ send: [3] })
  await client.line(({ sent }) => sent === 3)

  expect(valuesOf(client.lines, 'held')).toEqual([null, true, null])
  expect(unique(valuesOf(client.lines, 'closed'))).toEqual([1006])
  expect(handled.map(({ number }) => number)).toEqual([1, 3])
})

test('what fits once fits again, marked as a repeat', async ({ run, open }) => {
  const { link, handled } = await open({ limits: { frameBytesMax: 1_000 } })
  const client = await run('holdfast_program.py', link.url, 'secret')
  client.tell({ send: [1] })
  await client.line(({ sent }) => sent === 1)
  const longest = numbers(100, 860).map((length) => 'x'.repeat(length))

  link.blackhole('down')
  client.tell({ send: longest })
  await expect.poll(() => handled.length).toBeGreaterThan(1)
  link.cut()
  await link.heal()
  await expect.poll(() => valuesOf(client.lines, 'sent').length).toBe(101)

  const lengths = (values: readonly unknown[]): number[] => values.map((value) => String(value).length)
  const delivered = client.lines.filter((line) => 'sent' in line && !('failed' in line))
  expect(lengths(valuesOf(delivered, 'sent'))).toEqual(lengths(handled.map(({ number }) => number)))
  expect(valuesOf(client.lines, 'failed').length).toBeGreaterThan(0)
})
