import { parseAst } from 'rollup/parseAst'

const IF_NOT_OPEN =
  'if ( !this._ws || this._ws.readyState === this.CLOSED || this._ws.readyState === this.CLOSING ) this._connect(); else {'

const TIMED_OUT = 'this._disconnect(void 0, event.message === "TIMEOUT" ? "timeout" : void 0);'

const GET_TARGET =
  'Promise.all([ this._getNextUrl(this._url), this._getNextProtocols(this._protocols || null) ]) ) .then(([url, protocols]) => {'

const WAIT = 'setTimeout(resolve, this._getNextDelay())'

const MEMBERS =
  /^(constructor|close|reconnect|_(ws|url|protocols|options|binaryType|closeCalled|connect|connectLock|wait|disconnect|handleError|addListeners|removeListeners))$/

/**
 * Takes out of two packages what Holdfast never reaches, while it is built. No minifier can: it keeps each method of a
 * class, since a name may be made at run time.
 *
 * A rule is `[reason, verb, pattern, times]`, with `fold` also the text that takes the place. With another number of
 * matches than `times` the build fails: another version of a package has to be read, and its rules adapted, before it
 * ships. Rules apply in order, each to the text that the one before has left.
 */
const RULES = {
  /**
   * dist/ws.js of partysocket 1.3.0. Holdfast uses `reconnect`, `close` and `binaryType`, and always the same options:
   * start closed, make one attempt, queue nothing, never time out. It listens to the native socket. What stays makes
   * a socket a microtask later, one at a time, closes it, and swallows the errors of a closed one.
   */
  partysocket: [
    ['nothing imports the event classes', keepStatements, /^(function absorbError|var Reconnecting|export)/, 12],
    ['nothing imports the event classes', fold, 'export { CloseEvent, ErrorEvent, ', 1, 'export { '],
    ['nothing listens to its events', fold, ' extends EventTarget', 1, ''],
    ['nothing listens to its events', cut, /^(super\(|this\.dispatchEvent\(|if \(this\.onerror\))/, 6],
    ['debug is off', cut, /^(this\._debug\(|if \(this\._options\.debugLogger\))/, 18],
    ['WebSocket is given', cut, /^if \( !this\._options\.WebSocket/, 1],
    ['WebSocket is given', fold, 'this._options.WebSocket || WebSocket', 1, 'this._options.WebSocket'],
    ['URL and protocols are at hand', fold, GET_TARGET, 1, '{ const url = this._url(), protocols = this._protocols();'],

    // With `startClosed` and `maxRetries: 0` an attempt is made by `reconnect`, and by nothing else.
    ['only reconnect dials', cut, /^if \(this\._options\.startClosed\)/, 1],
    ['only reconnect dials', fold, 'this._options = options; this._connect();', 1, 'this._options = options;'],
    ['only reconnect dials', fold, `${TIMED_OUT} this._connect();`, 1, 'this._disconnect();'],
    ['only reconnect dials', cut, /^this\._handle(Close|Error)\(new /, 3],
    ['only reconnect dials', fold, 'this._connectLock || !this._shouldReconnect', 1, 'this._connectLock'],
    ['only reconnect dials', cut, /^(if \()?this\._(retryCount|shouldReconnect|didWarn)/, 10],
    ['no delay needs no timer, which in a hidden page takes up to a minute', fold, WAIT, 1, 'resolve()'],
    ['its timeout of 25 days', cut, /^(this\._(connectTimeout|clearTimeouts)\b|const \{ maxRetries)/, 5],

    // Held until the call has ended: an attempt that follows one without a socket, at once, must not get lost.
    ['the lock', cut, /^this\._connectLock = false;/, 3],
    ['the lock', fold, 'if (this._closeCalled) {', 1, 'this._connectLock = false; if (this._closeCalled) {'],

    // Whether there is a socket, and whether it can be closed, is asked again by `_disconnect`.
    ['asked twice', cut, /^if \((!this\._ws\) \{| this\._ws\.readyState === this\.CLOSED)/, 2],
    ['asked twice', fold, IF_NOT_OPEN, 1, '{'],
    ['states as numbers', fold, 'this.OPEN', 2, '1'],
    ['states as numbers', fold, 'this.CONNECTING', 1, '0'],

    ['only errors of the socket are heard', cut, /^this\._ws\.\w+EventListener\("(open|close|message)"/, 6],
    ['no other member is used', keepMembers, MEMBERS, 40],
    ['binaryType is set before there is a socket', fold, '_binaryType', 2, 'binaryType'],
    ['private names', shorten, /^_/, 45],
  ],

  /** build/index.js of idb 8.0.4. Holdfast opens databases, uses transactions and stores, and advances no cursor. */
  idb: [
    ['no shortcuts of a database, no async iterators', cut, /^replaceTraps\(/, 2],
    ['no cursor is advanced', cut, /^if \(getCursorAdvanceMethods\(\)/, 1],
    ['no request is unwrapped', cut, /^reverseTransformCache\.set\(promise, request\)/, 1],
    ['no call-back for a blocked database', cut, /^if \(blocked\)/, 2],
    ['no property is set, or looked for with `in`', keepTraps, /^get$/, 2],
  ],
}

/**
 * Applies the rules to the modules of both packages; others pass. A plugin of Rollup and of Vite: unit tests run on what
 * ships.
 */
export function slimPackages() {
  return {
    name: 'slim-packages',
    transform(code, id) {
      const name = /\/node_modules\/(partysocket|idb)\//.exec(id.replaceAll('\\', '/'))?.[1]
      // What is left keeps no line of its own, so there is nothing for a source map to say.
      return name ? { code: slim(name, code), map: { mappings: '' } } : null
    },
  }
}

/** The text that is left of a module. */
export function slim(name, source) {
  return RULES[name].reduce((text, [reason, verb, pattern, times, by]) => {
    const matches = verb(text, pattern, by)
    if (matches.length === times) return replaced(text, matches)
    throw new Error(
      `slim-packages: the rule "${reason}" of ${name} matches ${matches.length} times instead of ${times}: ` +
        `${verb.name} ${pattern}. Read what this version of ${name} does, then adapt the rule.`,
    )
  }, source)
}

// The verbs. Each finds the places to replace; without `by` they are deleted.

/** Deletes each statement that begins so, its white space being single spaces. */
function cut(text, pattern) {
  return nodesOf(text)
    .filter(({ type }) => type === 'Program' || type === 'BlockStatement')
    .flatMap(({ body }) => body.filter((node) => pattern.test(flat(text, node))))
}

/** Deletes each statement of the module that does not begin so. */
function keepStatements(text, pattern) {
  return parseAst(text).body.filter((node) => !pattern.test(flat(text, node)))
}

/** Deletes each member of a class that is not called so, with its comment. */
function keepMembers(text, pattern) {
  return nodesOf(text)
    .filter(({ type }) => type === 'ClassBody')
    .flatMap(({ start, body }) =>
      body.map((member, index) => ({
        name: member.key.name,
        start: body[index - 1]?.end ?? start + 1,
        end: member.end,
      })),
    )
    .filter(({ name }) => !pattern.test(name))
}

/** Deletes each method of the handler that idb gives to its proxies, unless it is called so. */
function keepTraps(text, pattern) {
  return nodesOf(text)
    .filter(({ type, id }) => type === 'VariableDeclarator' && id.name === 'idbProxyTraps')
    .flatMap(({ init }) => init.properties)
    .filter(({ key }) => !pattern.test(key.name))
    .map(({ start, end }) => ({ start, end: end + 1 }))
}

/** Puts one text in place of another, in which a space stands for any white space. */
function fold(text, pattern, by) {
  const expression = pattern.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll(' ', '\\s+')
  return [...text.matchAll(expression)].map(({ index, 0: { length } }) => ({ start: index, end: index + length, by }))
}

/** Gives each property that is called so a name of one letter. */
function shorten(text, pattern) {
  const keys = nodesOf(text).flatMap(({ key, property, computed }) => (computed ? [] : (key ?? property ?? [])))
  const found = keys.filter(({ name }) => pattern.test(name))
  const names = [...new Set(found.map(({ name }) => name))]
  return found.map(({ start, end, name }) => ({ start, end, by: String.fromCharCode(97 + names.indexOf(name)) }))
}

function replaced(text, matches) {
  return matches
    .toSorted((one, other) => other.start - one.start)
    .reduce((left, { start, end, by = '' }) => left.slice(0, start) + by + left.slice(end), text)
}

const flat = (text, { start, end }) => text.slice(start, end).replace(/\s+/g, ' ')

function nodesOf(text) {
  const nodes = []
  const visit = (value) => {
    if (Array.isArray(value)) value.forEach(visit)
    else if (typeof value === 'object' && value !== null) {
      if (value.type) nodes.push(value)
      Object.values(value).forEach(visit)
    }
  }
  visit(parseAst(text))
  return nodes
}
