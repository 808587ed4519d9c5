import { join } from '../join.mjs'

export const connect = (url, listeners) => join(url, listeners)
