import { createClient } from 'holdfast'
import { start } from '../start.mjs'

export const connect = (url, listeners, options) => start(createClient({ url: () => url, ...options }), listeners)
