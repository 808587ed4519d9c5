import { expect, test } from 'vitest'
import { foreign, helloTooLarge, rejection, unexpected } from '../../../src/dialects/reliable/server-errors.js'

test('a rejection keeps the server’s words, and tells a missing handler from one that threw', () => {
  expect(rejection('REJECTED', 'no such room')).toMatchObject({ code: 'REJECTED', message: 'no such room' })
  expect(rejection('NO_HANDLER', 'nobody listens')).toMatchObject({ code: 'NO_HANDLER', message: 'nobody listens' })
  expect(rejection('RESULT_LOST', 'too late')).toMatchObject({ code: 'RESULT_LOST' })
  expect(rejection('of the application', 'no')).toMatchObject({ name: 'DeliveryError', code: 'REJECTED' })
})

test('a server of another kind is refused for good, and the cause is kept', () => {
  const cause = new Error('not JSON')

  expect(foreign('it speaks first', cause)).toMatchObject({ name: 'RefusedError', code: 'PROTOCOL_MISMATCH', cause })
})

test('a frame out of turn is a bad frame, and named', () => {
  expect(unexpected({ t: 'greeting' } as never)).toMatchObject({
    code: 'BAD_FRAME',
    message: 'The server sent "greeting" out of turn',
  })
})

test('a hello that is too long says so, in bytes', () => {
  expect(helloTooLarge(5_000, 4_096)).toMatchObject({
    name: 'LocalProtocolError',
    code: 'TOO_LARGE',
    message: 'Our hello is 5000 bytes long; the server takes frames of 4096 bytes',
  })
})
