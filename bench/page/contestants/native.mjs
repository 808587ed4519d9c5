/** The floor: the browser's own WebSocket, and an array for what is sent before it opens. */
export function connect(url, listeners) {
  const queue = []
  let socket
  let isOpen = false
  void url.then((address) => {
    socket = new WebSocket(address)
    socket.addEventListener('open', () => {
      isOpen = true
      for (const frame of queue.splice(0)) socket.send(frame)
    })
    socket.addEventListener('message', (message) => {
      const { event, data } = JSON.parse(message.data)
      listeners[event](data)
    })
  })
  return {
    send(event, data) {
      const frame = JSON.stringify({ event, data })
      if (isOpen) socket.send(frame)
      else queue.push(frame)
    },
  }
}
