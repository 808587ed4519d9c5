export const median = (values) =>
  quantile(
    [...values].sort((one, other) => one - other),
    0.5,
  )

/** Of ascending values, by linear interpolation. */
export function quantile(values, share) {
  const place = (values.length - 1) * share
  const below = Math.floor(place)
  return values[below] + (values[Math.ceil(place)] - values[below]) * (place - below)
}

/** Median, least and greatest of the rounds, and the median of the ratios to `floor` in the same round. */
export function summarize(values, floor) {
  const ratios = floor && values.map((value, round) => value / floor[round])
  return {
    median: median(values),
    min: Math.min(...values),
    max: Math.max(...values),
    ...(ratios && { ratio: median(ratios), ratioMin: Math.min(...ratios), ratioMax: Math.max(...ratios) }),
    rounds: values,
  }
}
