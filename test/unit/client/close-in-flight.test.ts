import { expect, test } from 'vitest'
import { createClient } from '../../../src/client/client.js'
import { persistent } from '../../../src/outbox/persistence.js'
import { createFakePlatform } from '../../support/fake-platform.js'
import { createFakeStore } from '../../support/fake-store.js'

test('close keeps in the store what is in flight, though a newer message has its key', async () => {
  const platform = createFakePlatform()
  const store = createFakeStore()
  const client = createClient({ url: 'ws://server/', platform, outbox: persistent(store) })
  const failed: unknown[] = []
  client.lifecycle.on('failed', ({ error }) => failed.push(error?.code))
  client.connect()
  await platform.settle()
  platform.link.accept()
  platform.link.hold()
  const older = client.send('position', 1, { key: 'position' })
  client.send('picture', 'x'.repeat(200_000))
  client.send('position', 2, { key: 'position' })
  const { status } = older
  const settled = expect(older.delivered).rejects.toMatchObject({ code: 'CLIENT_CLOSED' })
  await client.close()
  await settled

  expect(status).toBe('sent')
  expect(failed).toEqual([])
  expect(store.kept.map(({ event }) => event)).toEqual(['position', 'picture', 'position'])
})
