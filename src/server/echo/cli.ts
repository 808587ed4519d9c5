#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { isError } from '../../shared/realms.js'
import { check } from '../../shared/validate.js'
import { createEchoServer, type EchoServer } from './echo-server.js'

const HELP = `Usage: holdfast echo [options]

Runs a WebSocket server that sends every message back. Prints its URL when it listens.

Options:
  --port <number>            port to listen on; 0 picks a free one (default: 8080)
  --host <address>           address to bind (default: 127.0.0.1)
  --payload-bytes-max <n>    longest message in bytes; a longer one is answered with 1009 (default: 1048576)
  --compression              accept permessage-deflate
  --help                     print this text
  --version                  print the version

SIGINT and SIGTERM close every connection with 1001.
Exit codes: 0 stopped by a signal, 1 cannot listen, 2 wrong usage.
`

await main(process.argv.slice(2))

async function main(argv: string[]): Promise<void> {
  const command = parse(argv)
  if (typeof command === 'string') {
    process.stdout.write(command)
    return
  }

  process.once('SIGINT', () => void command.close())
  process.once('SIGTERM', () => void command.close())
  try {
    const { url } = await command.listening
    process.stdout.write(`${url}\n`)
  } catch (error) {
    fail(1, error)
  }
}

/** Returns the text to print, or the server that was started. */
function parse(argv: string[]): string | EchoServer {
  try {
    const { values, positionals } = parseArgs({
      args: argv,
      allowPositionals: true,
      options: {
        port: { type: 'string', default: '8080' },
        host: { type: 'string', default: '127.0.0.1' },
        'payload-bytes-max': { type: 'string', default: '1048576' },
        compression: { type: 'boolean', default: false },
        help: { type: 'boolean' },
        version: { type: 'boolean' },
      },
    })
    if (values.help) return HELP
    if (values.version) return `${version()}\n`
    const command = positionals.join(' ')
    check('The command', command, '"echo"', command === 'echo')
    return createEchoServer({
      port: integer('port', values.port),
      host: values.host,
      payloadBytesMax: integer('payload-bytes-max', values['payload-bytes-max']),
      compression: values.compression,
    })
  } catch (error) {
    return fail(2, error)
  }
}

function integer(flag: string, value: string): number {
  check(`--${flag}`, value, 'a whole number', /^\d+$/.test(value))
  return Number(value)
}

function version(): string {
  // From dist/cli.js the package's own manifest is one level up.
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  if (typeof manifest === 'object' && manifest !== null && 'version' in manifest) return String(manifest.version)
  throw new TypeError('package.json has no version')
}

/** Prints the error in one line, and ends the process. */
function fail(exitCode: 1 | 2, error: unknown): never {
  const [reason] = String(isError(error) ? error.message : error).split('\n')
  process.stderr.write(`holdfast: ${reason}${exitCode === 2 ? '; see holdfast --help' : ''}\n`)
  process.exit(exitCode)
}
