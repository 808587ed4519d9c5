import { BlockList, isIP, SocketAddress } from 'node:net'
import { check, show } from '../../shared/validate.js'

/**
 * Which proxies are believed: none (`false`), so many in front of the server, or those with these addresses: `10.0.0.7`,
 * `10.0.0.0/8`, `2001:db8::/32`, or the groups `loopback`, `linklocal` and `uniquelocal`.
 */
export type TrustProxy = false | number | readonly string[]

/** What of a request's way is known for sure. */
export interface Way {
  /** Of the client, or of the nearest proxy that is not trusted; undefined on a local socket. */
  readonly address: string | undefined
  /** What the trusted proxies say of the client's connection. */
  readonly protocol?: string | undefined
  readonly host?: string | undefined
}

type Headers = Readonly<Record<string, string | string[] | undefined>>

/** Finds where a request comes from. */
export type WayFinder = (peer: string | undefined, headers: Headers) => Way

const RULE = 'false, a number of proxies from 1 to 100, or a list of addresses such as 10.0.0.7, 10.0.0.0/8 or loopback'

/** The names that Express has. A local socket has no address: it counts as `loopback`. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  linklocal: ['169.254.0.0/16', 'fe80::/10'],
  uniquelocal: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
}

/**
 * Each proxy appends to `X-Forwarded-For` the address that it has heard from, so that what stands right of an address is
 * true as long as whoever wrote it is trusted. What stands left of the first stranger is his own tale.
 *
 * @throws {TypeError} for an option that says nothing, or for an address that is none
 * @example wayFinder(['loopback'])('127.0.0.1', { 'x-forwarded-for': '203.0.113.9' }).address // 203.0.113.9
 */
export function wayFinder(trustProxy: TrustProxy = false): WayFinder {
  if (trustProxy === false) return (peer) => ({ address: addressOf(peer) })
  const isTrusted = trusted(trustProxy)

  return (peer, headers) => {
    let address = addressOf(peer)
    if (!isTrusted(address, 0)) return { address }
    let hops = 0
    // From the right: the nearest proxy has written last.
    const heard = listOf(headers['x-forwarded-for'])
    while (isTrusted(address, hops)) {
      const next = addressOf(heard.pop())
      if (next === undefined) break
      address = next
      hops++
    }
    const told = (header: string): string | undefined => {
      const values = listOf(headers[header])
      // A proxy that appends writes to the right of what the client may have made up.
      return values[Math.max(0, values.length - Math.max(1, hops))]
    }
    return { address, protocol: told('x-forwarded-proto'), host: told('x-forwarded-host') }
  }
}

/** Whether whoever has this address, and stands so many hops before the server, is believed. */
function trusted(trustProxy: unknown): (address: string | undefined, hops: number) => boolean {
  if (typeof trustProxy === 'number') {
    const isCount = Number.isInteger(trustProxy) && trustProxy >= 1 && trustProxy <= 100
    check('trustProxy', trustProxy, RULE, isCount, RangeError)
    return (_address, hops) => hops < trustProxy
  }
  check('trustProxy', trustProxy, RULE, Array.isArray(trustProxy))
  const entries = trustProxy as readonly unknown[]
  const list = new BlockList()
  for (const entry of entries) for (const range of GROUPS[String(entry)] ?? [entry]) addRange(list, range)
  const hasLoopback = entries.includes('loopback')
  return (address) => (address === undefined ? hasLoopback : list.check(address, familyOf(address)))
}

function addRange(list: BlockList, range: unknown): void {
  const [address = '', bits, ...others] = typeof range === 'string' ? range.split('/') : []
  const max = isIP(address) === 4 ? 32 : 128
  const isRange = isIP(address) > 0 && !others.length && (bits === undefined || (/^\d+$/.test(bits) && +bits <= max))
  if (!isRange) throw new TypeError(`trustProxy must be ${RULE}, got ${show(range)} in the list`)
  if (bits === undefined) list.addAddress(address, familyOf(address))
  else list.addSubnet(address, +bits, familyOf(address))
}

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 4 ? 'ipv4' : 'ipv6')

/** Repeated headers are one list. */
const listOf = (header: string | string[] | undefined): string[] =>
  String(header ?? '')
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')

/** In its usual form, without port, brackets and zone; undefined where it is none. Of IPv4 in IPv6, the IPv4. */
function addressOf(text = ''): string | undefined {
  const bare = /^\[([^\]]*)\](:\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text
  const [address = ''] = bare.replace(/^::ffff:(?=[\d.]+$)/i, '').split('%')
  if (!isIP(address)) return undefined
  return new SocketAddress({ address, family: familyOf(address) }).address
}
