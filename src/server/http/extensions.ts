/** RFC 9110 section 5.6.2. */
const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
/** RFC 6455 section 9.1: a quoted value must be a token when it is unquoted. */
const QUOTED = '"(?:\\\\?[!#$%&\'*+.^_`|~0-9A-Za-z-])+"'
const SPACE = '[ \\t]*'
const PARAMETER = `${TOKEN}(?:=(?:${TOKEN}|${QUOTED}))?`
const EXTENSION = `${TOKEN}(?:${SPACE};${SPACE}${PARAMETER})*`
const EXTENSIONS = new RegExp(`^${EXTENSION}(?:${SPACE},${SPACE}${EXTENSION})*$`)

/** The parameters of permessage-deflate and their values. RFC 7692 section 7.1: no leading zeros. */
const PARAMETERS: Readonly<Record<string, RegExp>> = {
  server_no_context_takeover: /^$/,
  client_no_context_takeover: /^$/,
  server_max_window_bits: /^=([89]|1[0-5])$/,
  client_max_window_bits: /^(=([89]|1[0-5]))?$/,
}

/** Whether a Sec-WebSocket-Extensions header has the grammar of RFC 6455 section 9.1. */
export const isExtensionList = (header: string): boolean => EXTENSIONS.test(header)

/**
 * The offers of a well-formed header without those of permessage-deflate that a server must decline; undefined if none is
 * left. An unknown parameter, a wrong value, or the same parameter twice: RFC 7692 section 7, "An endpoint MUST decline".
 *
 * @example checkedOffers('permessage-deflate; x=1, permessage-deflate') // 'permessage-deflate'
 */
export function checkedOffers(header = ''): string | undefined {
  // A quoted value is a token, and so holds no separator.
  const offers = header.split(',').map((offer) => offer.trim())
  return offers.filter((offer) => isOffer(offer)).join(', ') || undefined
}

function isOffer(offer: string): boolean {
  const [extension, ...parameters] = offer.split(';').map((part) => part.trim())
  if (extension !== 'permessage-deflate') return true // ws passes over it.
  const names = parameters.map((parameter) => parameter.split('=', 1)[0] ?? '')
  if (new Set(names).size < names.length) return false
  return parameters.every((parameter, index) => {
    const name = names[index] ?? ''
    const value = parameter.slice(name.length).replace(/["\\]/g, '')
    return Object.hasOwn(PARAMETERS, name) && PARAMETERS[name]?.test(value)
  })
}
