import { expect, test } from 'vitest'
import { persistent } from '../../../src/outbox/persistence.js'
import { setUp } from '../../support/client-stage.js'
import { createFakeStore } from '../../support/fake-store.js'
import { setStage } from '../../support/reliable-stage.js'

test('a listener of `delivered` finds the message no longer pending', async () => {
  const { client, connect, send, platform } = setUp()
  const pending: number[] = []
  client.lifecycle.on('delivered', () => pending.push(client.getState().pending))
  await connect()
  platform.link.hold()
  send('a')
  const before = client.getState().pending
  platform.link.flush()
  await platform.advance(300)

  expect([before, pending]).toEqual([1, [0]])
})

test('a request needs no store: it waits on where the store does not open', async () => {
  const store = createFakeStore()
  store.failOpen(new Error('no disk'))
  const { client, live, heard, say } = setStage({ outbox: persistent(store, { whenUnavailable: 'fail' }) })
  const answer = client.request('ask', 1)
  await live()
  const [asked] = heard().filter(({ t }) => t === 'm')
  say({ t: 'r', s: 1, g: 'g1', w: asked?.w, n: asked?.s, d: 'yes' })

  await expect(answer).resolves.toBe('yes')
})
