import { describeOutboxStore, turn } from '../contract/outbox-store.js'
import { createFakeStore } from './fake-store.js'

// What is proven over the fake store holds for others only if it keeps the contract, too.
describeOutboxStore('a fake store that answers at once', 'alone', () => ({
  page: () => ({ store: createFakeStore(), crash() {} }),
  idle: () => turn(1),
}))

describeOutboxStore('a fake store that answers later', 'alone', () => ({
  page: () => ({ store: Object.assign(createFakeStore({ isAsync: true }), { isParting: true }), crash() {} }),
  idle: () => turn(1),
}))
