import { expect, test } from 'vitest'
import { createRooms } from '../../../src/server/base/rooms.js'

test('holds its members in the order in which they joined, each once', () => {
  const rooms = createRooms<string>()
  rooms.join('a', 'ann')
  rooms.join('a', 'bob')
  rooms.join('a', 'ann')

  expect(rooms.members('a')).toEqual(['ann', 'bob'])
  expect(rooms.members('b')).toEqual([])
})

test('is gone when the last has left', () => {
  const rooms = createRooms<string>()
  rooms.join('a', 'ann')

  rooms.leave('a', 'ann')
  rooms.leave('a', 'ann')

  expect(rooms.size).toBe(0)
})

test('lets members leave while they are gone through', () => {
  const rooms = createRooms<string>()
  rooms.join('a', 'ann')
  rooms.join('a', 'bob')
  const seen: string[] = []

  for (const member of rooms.members('a')) {
    seen.push(member)
    rooms.leave('a', 'bob')
  }

  expect(seen).toEqual(['ann', 'bob'])
})

test('takes any name', () => {
  const rooms = createRooms<string>()

  rooms.join('__proto__', 'ann')

  expect(rooms.members('__proto__')).toEqual(['ann'])
  expect(rooms.members('constructor')).toEqual([])
})
