/** What an application does with a Holdfast client, whatever the dialect. */
export function start(client, listeners) {
  for (const [event, listener] of Object.entries(listeners)) client.on(event, listener)
  client.connect()
  return {
    send: (event, data) => void client.send(event, data),
  }
}
