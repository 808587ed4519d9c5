import { expect, test } from 'vitest'

const core = [
  'ALL_SENT',
  'ConnectError',
  'ConnectionLostError',
  'DeliveryError',
  'HoldfastError',
  'ListenerError',
  'LocalProtocolError',
  'RefusedError',
  'RemoteProtocolError',
  'StorageError',
  'createClient',
  'json',
  'memoryStore',
  'persistent',
  'plain',
  'reliable',
  'text',
  'warnBeforeUnload',
]

/** What the package promises by name; the script tag has the names of `holdfast/browser`. A name that goes, or comes, is a change for users: it needs a changeset. */
const doors: [door: string, open: () => Promise<object>, names: string[]][] = [
  ['holdfast', () => import('../src/index.js'), core],
  [
    'holdfast/browser',
    () => import('../src/browser.js'),
    [...core, 'deleteOutbox', 'estimateStorage', 'indexedDbStore', 'persistStorage', 'HoldfastWebSocket'],
  ],
  [
    'holdfast/indexeddb',
    () => import('../src/indexeddb.js'),
    ['deleteOutbox', 'estimateStorage', 'indexedDbStore', 'persistStorage'],
  ],
  ['holdfast/msgpack', () => import('../src/msgpack.js'), ['msgpack']],
  ['holdfast/reliable', () => import('../src/reliable.js'), ['createClient', 'reliable']],
  ['holdfast/react', () => import('../src/react.js'), ['useConnection', 'useEvent', 'usePending']],
  ['holdfast/socketio', () => import('../src/socketio.js'), ['socketIo']],
  [
    'holdfast/server',
    () => import('../src/server.js'),
    ['RejectedError', 'RetryError', 'createEchoServer', 'createServer', 'memoryStreams'],
  ],
  ['holdfast/websocket', () => import('../src/websocket.js'), ['HoldfastWebSocket']],
  ['the small script tag', () => import('../src/global-plain.js'), ['createClient', 'memoryStore', 'plain']],
]

test.each(doors)('%s exports what it promises and no more', async (_, open, names) => {
  const door = await open()

  expect(Object.keys(door).sort()).toEqual(names.sort())
})
