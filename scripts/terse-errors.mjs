import MagicString from 'magic-string'
import { parseAst } from 'rollup/parseAst'

/** The classes of src/shared/errors.ts, whose second argument is the message. Rollup adds $1 where a name is taken. */
const FAMILY =
  /^(Holdfast|Connect|ConnectionLost|Refused|LocalProtocol|RemoteProtocol|Delivery|Storage|Listener)Error(\$\d+)?$/

/** The functions that make such an error of words that they are given, and which of their arguments these are. */
const MAKERS = { badFrame: 0, badFrameFrom: 1, foreign: 0, notEncodable: 1, shared: 1 }

/**
 * A plugin for an output of Rollup. It takes the words out of the messages of our errors and leaves their values, to which
 * the code is added: `"chat" is 1048999 bytes long, frameBytesMax is 1048576` becomes `TOO_LARGE chat 1048999 1048576`.
 * TypeErrors and RangeErrors, for wrong options, keep their words.
 */
export function terseErrors() {
  let bases = 0
  return {
    name: 'terse-errors',
    renderStart() {
      bases = 0
    },
    renderChunk(code) {
      const { text, found } = terse(code)
      bases += found
      return { code: text.toString(), map: text.generateMap({ hires: true }) }
    },
    generateBundle() {
      if (bases !== 1) this.error(`There must be one class HoldfastError that calls super(message, …), not ${bases}`)
    },
  }
}

/** `found` counts the base classes in it, which add the code to the message. */
export function terse(code) {
  const text = new MagicString(code)
  let found = 0
  visit(parseAst(code), (node) => {
    if (node.type === 'NewExpression' && FAMILY.test(node.callee.name)) cutWords(text, node.arguments[1])
    if (node.type === 'CallExpression') cutWords(text, node.arguments[MAKERS[makerOf(node.callee)]])
    if (node.type !== 'ClassDeclaration' && node.type !== 'ClassExpression') return
    if (node.superClass?.name !== 'Error') return
    visit(node.body, ({ type, callee, arguments: [message] = [] }) => {
      if (type !== 'CallExpression' || callee.type !== 'Super' || message?.name !== 'message') return
      text.update(message.start, message.end, '`${code} ${message}`.trim()')
      found++
    })
  })
  return { text, found }
}

/** The name of the function or method that is called, without what Rollup adds. */
const makerOf = ({ name, property }) => (name ?? property?.name)?.replace(/\$\d+$/, '')

/** A message that is no literal is made elsewhere, often by a server, and stays. */
function cutWords(text, message) {
  if (message?.type === 'Literal') text.update(message.start, message.end, "''")
  if (message?.type !== 'TemplateLiteral') return
  for (const [index, { start, end }] of message.quasis.entries()) {
    const isBetween = index > 0 && index < message.quasis.length - 1
    if (end > start) text.update(start, end, isBetween ? ' ' : '')
    else if (isBetween) text.appendLeft(start, ' ')
  }
}

function visit(node, tell) {
  if (Array.isArray(node)) return node.forEach((one) => visit(one, tell))
  if (typeof node !== 'object' || node === null) return
  if (node.type) tell(node)
  Object.values(node).forEach((value) => visit(value, tell))
}
