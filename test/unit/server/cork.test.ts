import { expect, test } from 'vitest'
import { TurnCork } from '../../../src/server/http/cork.js'

/** A socket that tells how many bytes left it in each system call. */
function openSocket() {
  const calls: number[] = []
  let corks = 0
  const socket = {
    calls,
    writableLength: 0,
    cork: () => void corks++,
    uncork() {
      if (--corks || !socket.writableLength) return
      calls.push(socket.writableLength)
      socket.writableLength = 0
    },
  }
  const cork = new TurnCork(socket)
  return {
    ...socket,
    write(bytes: number) {
      cork.cork()
      socket.writableLength += bytes
    },
  }
}

const turn = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve))

test('lets what several sockets get in one turn leave each of them in one call', async () => {
  const sockets = [openSocket(), openSocket()]
  for (const socket of sockets) for (let count = 0; count < 3; count++) socket.write(100)
  expect(sockets.map(({ calls }) => calls)).toEqual([[], []])

  await turn()
  sockets[0]?.write(50)
  await turn()

  expect(sockets.map(({ calls }) => calls)).toEqual([[300, 50], [300]])
})

test('holds back no more than 64 KiB', async () => {
  const { write, calls } = openSocket()

  for (let count = 0; count < 5; count++) write(40_000)
  expect(calls).toEqual([80_000, 80_000])

  await turn()
  expect(calls).toEqual([80_000, 80_000, 40_000])
})
