/**
 * The number in a numbered message, `{"event":"message","data":17}` or `{"event":"message","data":{"number":17,…}}`;
 * NaN for any other.
 */
export function numberIn(text: string): number {
  if (!text.startsWith('{"event":"message","data":')) return NaN
  const { data } = JSON.parse(text) as { data: number | { number?: unknown } | null }
  return Number(typeof data === 'object' ? data?.number : data)
}

/** `[from, from + 1, …]`, `count` of them. */
export const numbers = (count: number, from = 0): number[] => Array.from({ length: count }, (_, index) => from + index)

/** A sorted copy. */
export const ascending = (values: readonly number[]): number[] => [...values].sort((one, other) => one - other)

/** The values at their first occurrence. */
export const unique = <Value>(values: readonly Value[]): Value[] => [...new Set(values)]
