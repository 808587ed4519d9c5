import type { Page } from '@playwright/test'
import { ascending, numberIn, unique } from '../support/numbers.js'
import { createRandom } from '../../test/support/random.js'
import { announceSeed } from '../support/seed.js'
import { expect, test } from '../support/test.js'
import { judge, type PageLog } from '../support/verdict.js'

const logOf = (page: Page): Promise<PageLog> =>
  page.evaluate(() => ({ delivered: harness.delivered, states: harness.states }))

/** Sends `count` numbers from `from`, a few in each turn of the page's event loop. */
const sendInTurns = (page: Page, from: number, count: number, random: () => number): Promise<void> =>
  page.evaluate(
    async ({ first, turns }) => {
      let number = first
      for (const messages of turns) {
        harness.sendNumbers(number, (number += messages))
        await new Promise((resolve) => setTimeout(resolve))
      }
    },
    { first: from, turns: turnsOf(count, random) },
  )

function turnsOf(count: number, random: () => number): number[] {
  const turns: number[] = []
  for (let left = count; left > 0; left -= turns.at(-1)!) turns.push(Math.min(left, 1 + Math.floor(random() * 4)))
  return turns
}

test('of 500 messages over 20 cuts only those are missing that had left the browser', async ({
  page,
  server,
  link,
}) => {
  const [cuts, perCut] = [20, 25]
  const random = createRandom(announceSeed())

  await page.evaluate((url) => harness.start(url), link.url)
  for (let cut = 0; cut < cuts; cut++) {
    await page.evaluate(() => harness.untilStatus('connected'))
    // 25 messages are more than 800 bytes on the wire, so the cut comes for sure.
    link.cutAfter(1 + Math.floor(random() * 800), 'up')
    await sendInTurns(page, cut * perCut, perCut, random)
    await page.evaluate(
      (ends) => harness.until(({ states }) => states.filter(({ status }) => status === 'waiting').length === ends),
      cut + 1,
    )
  }
  await page.evaluate((last) => void harness.send(last), cuts * perCut)
  await server.when(({ messages }) => messages.at(-1)?.text.includes(String(cuts * perCut)) === true)
  await page.evaluate(() => harness.until(({ client }) => client.getState().pending === 0))

  const { lost, repeated, rescued } = judge(cuts * perCut + 1, await logOf(page), server.messages)
  console.log(`500 messages, 20 cuts: ${lost.length} lost, ${repeated.length} repeated, ${rescued} rescued`)
  expect(server.acceptedConnections).toBe(cuts + 1)
  expect(repeated).toEqual([])
})

test('what fills the buffers when the link is cut is sent again', async ({ page, server, link }) => {
  const count = 60
  await page.evaluate((url) => harness.start(url, { outboxMax: { bytes: 2 ** 26 } }), link.url)
  await page.evaluate(() => harness.untilStatus('connected'))

  link.blackhole('up')
  await page.evaluate((total) => {
    // More than the kernel's buffers take between here and there.
    for (let number = 0; number < total; number++) harness.send(number, 500_000)
  }, count)
  await page.evaluate(() => harness.until(({ delivered }) => delivered.length >= 3))
  link.cut()
  await link.heal()
  await page.evaluate(() => harness.until(({ client }) => client.getState().pending === 0))
  await server.when(({ messages }) => messages.at(-1)?.text.includes(`"number":${count - 1},`) === true)

  const { lost, repeated, rescued } = judge(count, await logOf(page), server.messages)
  console.log(`Full buffers: ${lost.length} of ${count} lost, ${repeated.length} repeated, ${rescued} rescued`)
  expect(rescued).toBeGreaterThan(0)
  expect(lost.length + rescued).toBe(count)
  expect(repeated).toEqual([])
})

test('a reset link loses nothing that was queued while it was down', async ({ page, server, link }) => {
  await page.evaluate((url) => harness.start(url), link.url)
  await page.evaluate(() => harness.untilStatus('connected'))

  link.refuse()
  link.reset()
  await page.evaluate(() => harness.untilStatus('waiting'))
  await page.evaluate(() => harness.sendNumbers(0, 500))
  await link.heal()
  await server.when(({ messages }) => messages.length === 500)

  await page.evaluate(() => harness.until(({ client }) => client.getState().pending === 0))
  expect(judge(500, await logOf(page), server.messages)).toMatchObject({ lost: [], repeated: [] })
})

test('a message that is sent in the same turn as reconnect() arrives, perhaps twice', async ({ page, server }) => {
  await page.evaluate((url) => harness.start(url), server.url)
  await page.evaluate(() => harness.untilStatus('connected'))

  await page.evaluate(() => {
    harness.send(0)
    harness.client.reconnect()
    harness.send(1)
  })
  await page.evaluate(() => harness.until(({ client }) => client.getState().pending === 0))
  await server.when(({ messages }) => messages.some(({ text }) => numberIn(text) === 1))

  // Chromium counts a message as buffered until the end of the turn, and flushes the buffer of a socket that it closes.
  const arrived = server.messages.map(({ text }) => numberIn(text))
  expect([
    [0, 1],
    [0, 0, 1],
  ]).toContainEqual(ascending(arrived))
  expect(unique(arrived)).toEqual([0, 1])
})
