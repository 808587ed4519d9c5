import { createClient, memoryStore } from 'holdfast'

export function connect(url, listeners) {
  const client = createClient({
    url: () => url,
    outbox: memoryStore(),
    outboxMax: { messages: 1_000_000, bytes: 2 ** 30 },
    connectTimeoutMs: 600_000,
  })
  for (const [event, listener] of Object.entries(listeners)) client.on(event, listener)
  client.connect()
  return {
    send: (event, data) => void client.send(event, data),
  }
}
