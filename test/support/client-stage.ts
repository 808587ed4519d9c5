import { createClient } from '../../src/client/client.js'
import { plain } from '../../src/dialects/plain/plain.js'
import type { HoldfastError } from '../../src/shared/errors.js'
import type { ClientOptions } from '../../src/client/options.js'
import { text } from '../../src/protocol/codec.js'
import { createFakePlatform, type FakePlatform } from './fake-platform.js'

interface SetUp extends Partial<ClientOptions> {
  platform?: FakePlatform
}

/** A client in the hands of a test, and all that it says. */
export function setUp({ platform = createFakePlatform(), ...options }: SetUp = {}) {
  platform.chance ??= 0.5
  const client = createClient({
    url: 'ws://server/',
    retryDelayMs: { min: 1_000, max: 30_000 },
    dialect: plain({ codec: text() }),
    platform,
    ...options,
  })
  const log: string[] = []
  const errors: HoldfastError[] = []
  client.lifecycle.on('state', ({ status }) => log.push(status))
  client.lifecycle.on('stored', ({ id }) => log.push(`stored ${id.split(':')[1]}`))
  client.lifecycle.on('delivered', ({ id }) => log.push(`delivered ${id.split(':')[1]}`))
  client.lifecycle.on('failed', ({ id, error }) => log.push(`failed ${id.split(':')[1]} ${error?.code}`))
  client.lifecycle.on('error', (error) => void errors.push(error))
  return {
    client,
    platform,
    log,
    errors,
    status: () => client.getState().status,
    send: (body: string, sendOptions = {}) => client.send('message', body, sendOptions),
    async connect(): Promise<void> {
      client.connect()
      await platform.settle()
      platform.link.accept()
      await platform.settle()
    },
    error(): HoldfastError {
      const state = client.getState()
      if (!('error' in state) || !state.error) throw new Error(`There is no error in the state ${state.status}`)
      return state.error
    },
    /** What a client that has let go leaves behind. */
    leftovers: () => ({ timers: platform.clock.timers, watchers: platform.watchers, links: platform.liveLinks.length }),
  }
}

/** The leftovers of a client that has let go of everything. */
export const NOTHING = { timers: 0, watchers: 0, links: 0 }

/** A client that is connected, with every notice that the application hears, in order. */
export async function setLog(options: SetUp = {}) {
  const stage = setUp({ dialect: plain({ codec: text(), ping: 'ping', pong: 'pong' }), ...options })
  const heard: string[] = []
  const { lifecycle } = stage.client
  lifecycle.on('state', ({ status }) => heard.push(`state ${status}`))
  lifecycle.on('stored', ({ id }) => heard.push(`stored ${id.split(':')[1]}`))
  lifecycle.on('delivered', ({ id }) => heard.push(`delivered ${id.split(':')[1]}`))
  lifecycle.on('failed', ({ id }) => heard.push(`failed ${id.split(':')[1]}`))
  lifecycle.on('rtt', (rttMs) => heard.push(`rtt ${rttMs}`))
  lifecycle.on('error', ({ code }) => heard.push(`error ${code}`))
  stage.client.on('message', (data) => heard.push(`message ${String(data)}`))
  await stage.connect()
  heard.length = 0
  return { ...stage, heard }
}
