/** What an application does with a socket that comes back and looks like the native one. */
export function supervise(socket, listeners) {
  socket.addEventListener('message', (message) => {
    const { event, data } = JSON.parse(message.data)
    listeners[event](data)
  })
  return {
    send: (event, data) => void socket.send(JSON.stringify({ event, data })),
  }
}
