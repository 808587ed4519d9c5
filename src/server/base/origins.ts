import { check, isObject, show } from '../../shared/validate.js'

/** Which pages may connect: origins, `https://*.example.com` for all subdomains, or a function that decides. */
export type Origins = readonly string[] | ((origin: string) => boolean)

/** The subdomains of a host: what the origin begins and ends with. */
interface Wildcard {
  readonly start: string
  readonly end: string
}

const RULE = 'an origin such as https://example.com or https://*.example.com, as browsers send it'

/**
 * Whether a page's origin is allowed by the option. Entries are written as a URL may be, and compared as browsers send
 * them: in lower case, with a host in punycode, without the port that the scheme has anyway.
 *
 * @throws {TypeError} for an entry that no browser can ever send; it names the nearest that one can
 * @example originsCheck(['https://*.example.com'])('https://a.example.com') // true
 */
export function originsCheck(origins: Origins | undefined): (origin: string) => boolean {
  if (origins === undefined) return () => true
  if (typeof origins === 'function') return (origin) => answerOf(origins(origin))
  check('origins', origins, 'an array of origins or a function', Array.isArray(origins))
  const exact = new Set<string>()
  const wildcards: Wildcard[] = []
  for (const entry of origins as readonly unknown[]) {
    if (entry === 'null') exact.add(entry)
    else if (typeof entry === 'string' && /^[a-z][\w+.-]*:\/\/\*\./i.test(entry)) wildcards.push(wildcardOf(entry))
    else exact.add(originOf(entry, entry))
  }
  return (origin) => exact.has(origin) || wildcards.some((one) => isSubdomain(origin, one))
}

/** A promise would count as true. */
function answerOf(answer: unknown): boolean {
  if (typeof answer === 'boolean') return answer
  throw new TypeError(`origins gave ${show(answer)}; it must give true or false`)
}

/** Also several levels below: `https://a.b.example.com`; not the domain itself. */
const isSubdomain = (origin: string, { start, end }: Wildcard): boolean =>
  origin.length > start.length + end.length && origin.startsWith(start) && origin.endsWith(end)

function wildcardOf(entry: string): Wildcard {
  const domain = originOf(entry.replace('://*.', '://'), entry)
  const [scheme = '', host = ''] = domain.split('://')
  return { start: `${scheme}://`, end: `.${host}` }
}

/** The origin as browsers send it. */
function originOf(text: unknown, entry: unknown): string {
  if (typeof text !== 'string') throw refused(entry)
  if (!/^[a-z][\w+.-]*:\/\//i.test(text)) throw refused(entry, nearestOf(`https://${text}`))
  if (/^file:/i.test(text)) throw refused(entry, 'null')
  if (text.includes('*')) throw refused(entry, nearestOf(text))
  const url = parse(text)
  if (!url?.host) throw refused(entry)
  const origin = serialized(url)
  // What follows the host is never sent, so that the entry would match nothing.
  if (url.pathname.length > 1 || url.search || url.hash || url.username || text.endsWith('/')) {
    throw refused(entry, withStar(origin, entry))
  }
  if (url.protocol === 'ws:' || url.protocol === 'wss:') {
    throw refused(entry, withStar(origin.replace('ws', 'http'), entry))
  }
  return origin
}

/** Schemes that URL does not know have the origin "null" there, and another one in the browser: `chrome-extension://id`. */
function serialized({ origin, protocol, host }: URL): string {
  return origin === 'null' ? `${protocol}//${host}` : origin
}

/** With a wildcard where one may stand, or with none. */
function nearestOf(text: string): string | undefined {
  const [scheme = '', rest = ''] = text.split('://')
  const host = (rest.split(/[/?#]/)[0] ?? '').replace(/:\*$/, '')
  const star = host.lastIndexOf('*')
  const isWholeLabel = star === 0 || host[star - 1] === '.'
  const domain = host.slice(star + 1).replace(star < 0 ? '' : isWholeLabel ? /^\./ : /^[^.]*\.?/, '')
  if (star >= 0 && !domain.includes('.')) return undefined
  const url = parse(`${scheme}://${domain}`)
  if (!url?.host) return undefined
  return star < 0 ? serialized(url) : serialized(url).replace('://', '://*.')
}

const withStar = (origin: string, entry: unknown): string =>
  typeof entry === 'string' && entry.includes('://*.') ? origin.replace('://', '://*.') : origin

function parse(text: string): URL | undefined {
  try {
    return new URL(text)
  } catch {
    return undefined
  }
}

function refused(entry: unknown, nearest?: string): TypeError {
  const forAll = entry === '*' ? '; leave origins out to let every page connect' : ''
  const advice = nearest === undefined ? forAll : `; did you mean "${nearest}"?`
  const shown = isObject(entry) ? JSON.stringify(entry) : show(entry)
  return new TypeError(`origins must have ${RULE}, got ${shown}${advice}`)
}
