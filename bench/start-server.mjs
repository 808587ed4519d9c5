import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** The other side, in a process of its own, with the pages to serve: path → body. */
export async function startServer(files) {
  const child = fork(fileURLToPath(new URL('server.mjs', import.meta.url)))
  const exit = once(child, 'exit')
  await once(child, 'message') // It listens.
  child.send({ files })
  const [{ port }] = await once(child, 'message')

  const server = {
    origin: `127.0.0.1:${port}`,
    /** For how long it was busy when it last pushed messages. */
    pushedMs: 0,
    async close() {
      child.kill()
      await exit
    },
  }
  child.on('message', ({ busyMs }) => (server.pushedMs = busyMs))
  return server
}
