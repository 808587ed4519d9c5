import { HoldfastError } from '../../shared/errors.js'
import type { Way, WayFinder } from './proxies.js'

/** An upgrade, as it came. */
export interface Upgrade {
  readonly origin?: string | undefined
  readonly url: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly remoteAddress?: string | undefined
  /** Whether it came over TLS. */
  readonly isSecure?: boolean | undefined
  readonly subprotocol?: string | undefined
}

/**
 * The upgrade request of a connection: a frozen copy, which outlives the connection. All of it but `remoteAddress` comes from
 * outside; what `trustProxy` believes is taken from the headers of proxies.
 */
export interface UpgradeRequest {
  /**
   * The client's address, without a port; behind proxies that `trustProxy` names, the one that they have heard from. On a
   * local socket undefined.
   */
  readonly address: string | undefined
  /** The address of the other end of the socket: of the client, or of the nearest proxy. */
  readonly remoteAddress: string | undefined
  /** Whether the client's connection is encrypted, as far as is known. */
  readonly isSecure: boolean
  /** What the client has dialled, such as `example.com` or `example.com:8443`. */
  readonly host: string | undefined
  /** The origin of the page; undefined where the client is no browser. */
  readonly origin: string | undefined
  /**
   * Whether it comes from a page of another host, while no list of `origins` says that this page is one of yours. Then
   * `cookies` is empty, and `headers` has neither `cookie` nor `authorization`: browsers add both to what any page asks for.
   */
  readonly isForeign: boolean
  /** Path and query, as they came. */
  readonly url: string
  readonly path: string
  /** The query, decoded; of a name that comes twice, the first value. */
  readonly query: Readonly<Record<string, string | undefined>>
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** The cookies, decoded; of a name that comes twice, the first value, which has the longest path. */
  readonly cookies: Readonly<Record<string, string | undefined>>
  /** The one that was selected, such as `holdfast.1`. */
  readonly subprotocol: string | undefined
}

/** What browsers add to a request whichever page asks for it. */
const AMBIENT = ['cookie', 'authorization']

/** What the options say of it. */
interface Rules {
  readonly findWay: WayFinder
  /** Whether a list of `origins` has let in whoever comes so far. */
  readonly hasOrigins: boolean
}

/**
 * Reads upgrades for the application.
 *
 * @param report hears once that a foreign page's request had something which is kept back
 * @example const requestOf = requestReader(options, report)
 */
export function requestReader(
  rules: Rules,
  report: (error: HoldfastError) => void,
): (upgrade: Upgrade) => UpgradeRequest {
  let isTold = false
  return (upgrade) => {
    const request = read(upgrade, rules)
    const hasAmbient = AMBIENT.some((name) => upgrade.headers[name] !== undefined)
    if (request.isForeign && hasAmbient && !isTold) {
      isTold = true
      report(withheld(request))
    }
    return request
  }
}

function read(upgrade: Upgrade, { findWay, hasOrigins }: Rules): UpgradeRequest {
  const { origin, url, remoteAddress, subprotocol } = upgrade
  const way = findWay(remoteAddress, upgrade.headers)
  const host = way.host ?? textOf(upgrade.headers['host'])
  const isSecure = isEncrypted(upgrade, way)
  const isForeign = origin !== undefined && !hasOrigins && !isSameHost(origin, host, isSecure)
  const [path, search = ''] = splitOnce(url, '?')
  const headers = isForeign ? withoutAmbient(upgrade.headers) : { ...upgrade.headers }
  return Object.freeze({
    address: way.address,
    remoteAddress,
    isSecure,
    host,
    origin,
    isForeign,
    url,
    path,
    query: record(new URLSearchParams(search)),
    headers: Object.freeze(headers),
    cookies: record(isForeign ? [] : cookiesIn(textOf(upgrade.headers['cookie']) ?? '')),
    subprotocol,
  })
}

const withheld = ({ origin = '', host = '' }: UpgradeRequest): HoldfastError =>
  new HoldfastError(
    'COOKIES_WITHHELD',
    `Kept back the cookies of a page of ${origin.slice(0, 200)}, since it is not of the host that it dials, ` +
      `"${host.slice(0, 200)}". If it is yours, name it in "origins"; ` +
      'if a proxy has changed the host, let it pass Host or X-Forwarded-Host on, and set "trustProxy". This is reported once',
  )

const withoutAmbient = (headers: Upgrade['headers']): Upgrade['headers'] =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !AMBIENT.includes(name)))

const isEncrypted = ({ isSecure = false }: Upgrade, { protocol }: Way): boolean =>
  protocol === undefined ? isSecure : /^(https|wss)$/i.test(protocol)

/**
 * Whether the page was served by the host that it dials. A page without TLS is not the same as one with it: on its way
 * anybody may have written into it. The other way round a proxy may have taken TLS off, unseen.
 */
function isSameHost(origin: string, host: string | undefined, isSecure: boolean): boolean {
  const page = urlOf(origin)
  if (!page || host === undefined || (isSecure && page.protocol !== 'https:')) return false
  return page.host !== '' && page.host === urlOf(`${page.protocol}//${host}`)?.host
}

function urlOf(text: string): URL | undefined {
  try {
    const url = new URL(text)
    return /^https?:$/.test(url.protocol) ? url : undefined
  } catch {
    return undefined
  }
}

/** RFC 6265 section 4.2.1. What cannot be decoded is left as it came. */
function* cookiesIn(header: string): Generator<[name: string, value: string]> {
  for (const pair of header.split(';')) {
    const [name, value] = splitOnce(pair, '=')
    if (value === undefined) continue
    const bare = value.trim().replace(/^"(.*)"$/, '$1')
    yield [name.trim(), decoded(bare)]
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function splitOnce(text: string, mark: string): [before: string, after?: string] {
  const at = text.indexOf(mark)
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}

/** The first value of each name. Without a prototype: any name may be looked up. */
function record(pairs: Iterable<[string, string]>): Readonly<Record<string, string>> {
  const values = Object.create(null) as Record<string, string>
  for (const [name, value] of pairs) values[name] ??= value
  return Object.freeze(values)
}

const textOf = (header: string | string[] | undefined): string | undefined => header?.toString()
