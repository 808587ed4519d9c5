import WebSocket from 'reconnecting-websocket'
import { supervise } from '../supervise.mjs'

export const connect = (url, listeners) => supervise(new WebSocket(() => url), listeners)
