import { expect, test } from 'vitest'
import { placeOf } from '../../../src/dialects/reliable/place.js'

test.each([
  { id: 'S1', s: 0, c: 0 },
  { id: 'S1', s: 0, c: 3 },
  { id: 'S1', s: 7, g: 'g7', c: 1 },
])('reads what was noted: %o', (place) => {
  expect(placeOf(JSON.stringify(place))).toEqual(place)
})

test('takes no more of a note than belongs to a place', () => {
  expect(placeOf('{"id":"S1","s":0,"g":5,"more":true}')).toEqual({ id: 'S1', s: 0, c: 0 })
})

test.each([
  ...['', '{', 'null', '5', '"S1"', '[]', '{}'],
  ...['{"id":"","s":0}', '{"id":5,"s":0}', '{"id":"S1"}', '{"id":"S1","s":"1","g":"g"}', '{"id":"S1","s":-1,"g":"g"}'],
  ...['{"id":"S1","s":1.5,"g":"g"}', '{"id":"S1","s":1}', '{"id":"S1","s":1,"g":2}', '{"id":"S1","s":0,"c":-1}'],
])('finds no place in %s', (note) => {
  expect(placeOf(note)).toBeUndefined()
})
