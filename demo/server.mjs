import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'
import { bundleReactPage, locate, typeOf } from './server/files.mjs'
import { createSwitchboard } from './server/switchboard.mjs'

/**
 * The demo: the pages, the echo server that they talk to, and the buttons that break the link, in one process.
 *
 *     npm start                 http://127.0.0.1:8080
 *     PORT=9000 npm start       another port, as does `-- --port 9000`; 0 picks a free one
 */

const HOST = '127.0.0.1'
const port = choosePort()
const switchboard = createSwitchboard()
const reactPage = await bundleReactPage()

const server = createServer((request, response) => void respond(request, response))

async function respond(request, response) {
  const { status = 200, type = 'text/plain', body } = await answer(request).catch(badRequest)
  const headers = { 'Content-Type': `${type}; charset=utf-8`, 'Cache-Control': 'no-store' }
  response.writeHead(status, { ...headers, 'X-Content-Type-Options': 'nosniff' }).end(body)
}
server.on('upgrade', switchboard.connect)
server.on('error', (error) => {
  const hint = error.code === 'EADDRINUSE' ? 'It is taken; PORT=0 npm start picks a free one.' : error.message
  fail(`Cannot listen on port ${port}. ${hint}`)
})
server.listen(port, HOST, () => console.log(`Holdfast demo: http://${HOST}:${server.address().port}`))

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void stop())

async function answer({ method, url }) {
  const { pathname, searchParams } = new URL(url, `http://${HOST}`)
  if (pathname.startsWith('/control/')) return control(method, pathname.slice('/control/'.length), searchParams)
  if (method !== 'GET' && method !== 'HEAD') return { status: 405, body: 'Use GET\n' }
  if (pathname === '/react.js') return { type: 'text/javascript', body: reactPage }

  const file = locate(pathname)
  const body = file && (await readFile(file).catch(() => undefined))
  return body === undefined ? { status: 404, body: 'Not found\n' } : { type: typeOf(file), body }
}

/** `POST /control/cut?link=…` does what the button says; the answer says what came of it. */
function control(method, name, searchParams) {
  const act = switchboard.controls[name]
  if (!act) return { status: 404, body: 'Not found\n' }
  if (method !== 'POST') return { status: 405, body: 'Use POST\n' }
  return { type: 'application/json', body: JSON.stringify(act(searchParams.get('link') ?? '')) }
}

const badRequest = () => ({ status: 400, body: 'Bad request\n' })

/** `--port`, else `PORT`, else 8080. */
function choosePort() {
  const { values } = parseArgs({ options: { port: { type: 'string' } } })
  const wanted = values.port ?? process.env.PORT ?? '8080'
  if (!/^\d{1,5}$/.test(wanted) || Number(wanted) > 65_535) {
    fail(`The port is "${wanted}"; it must be a number from 0 to 65535.`)
  }
  return Number(wanted)
}

async function stop() {
  server.close()
  await switchboard.close()
  server.closeAllConnections()
}

function fail(reason) {
  console.error(reason)
  process.exit(1)
}
