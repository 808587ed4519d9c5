import { reliable } from '../dialects/reliable/reliable.js'
import type { Contract, Untyped } from '../shared/contract.js'
import type { Client } from './api.js'
import { makeClient } from './make-client.js'
import type { ClientOptions } from './options.js'

/**
 * As `createClient` of the door `holdfast`, but speaks `reliable()` where the options name no dialect: a page that
 * imports it does not load the plain dialect.
 *
 * @throws {TypeError} | {RangeError} for a wrong option; the message names it, its value and the rule
 * @example
 * const client = createClient<Chat>({ url: 'wss://example.com/live', outbox: indexedDbStore({ name: 'chat' }) })
 */
export const createClient = <C extends Contract = Untyped>(options: ClientOptions): Client<C> =>
  makeClient<C>(options, reliable)
