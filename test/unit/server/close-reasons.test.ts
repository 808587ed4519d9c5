import { expect, test } from 'vitest'
import { HoldfastError, RemoteProtocolError, StorageError } from '../../../src/shared/errors.js'
import { closingOf, noHello, notReading, silent, tooLarge } from '../../../src/server/base/close-reasons.js'

test.each([
  [new RemoteProtocolError('BAD_FRAME', 'no frame'), 4400],
  [new RemoteProtocolError('SEQUENCE_GAP', 'a gap'), 4400],
  [new RemoteProtocolError('BAD_ACK', 'an acknowledgement'), 4400],
  [new RemoteProtocolError('RATE_LIMITED', 'too fast'), 4429],
  [tooLarge(11, 10), 1009],
])('tells the client of its fault: %s', (error, code) => {
  expect(closingOf(error)).toEqual({ code, told: error })
})

test.each([new StorageError('STORAGE_FAILED', 'secret'), new HoldfastError('SERVER_FAILED', 'secret')])(
  'keeps our own fault to ourselves: %s',
  (error) => {
    const { code, told } = closingOf(error)

    expect(code).toBe(1011)
    expect(told).toMatchObject({ code: error.code, message: 'The server failed' })
  },
)

test('says in words what happened and what follows', () => {
  expect(notReading('ann', 5).message).toBe('ann does not read: 5 bytes wait for it; closing with 1013')
  expect(silent('ann', 40_000.4)).toMatchObject({
    code: 'HEARTBEAT_TIMEOUT',
    closeCode: 4000,
    message: 'No frame from ann for 40000 ms; closing with 4000',
  })
  expect(noHello(10).message).toBe('No hello within 10 ms')
})
