import { plain } from '../dialects/plain/plain.js'
import type { Contract, Untyped } from '../shared/contract.js'
import type { Client } from './api.js'
import { makeClient } from './make-client.js'
import type { ClientOptions } from './options.js'

/**
 * Makes a client. Nothing is touched until `connect` or the first `send`: no socket, timer, storage or listener.
 *
 * @throws {TypeError} | {RangeError} for a wrong option; the message names it, its value and the rule
 * @example
 * const client = createClient<Chat>({ url: 'wss://example.com/live' })
 * client.on('message', ({ text }) => console.log(text))
 * client.connect()
 * client.send('message', { text: 'hello' })
 */
export const createClient = <C extends Contract = Untyped>(options: ClientOptions): Client<C> =>
  makeClient<C>(options, plain)
