import { io } from 'socket.io-client'

/** A Socket.IO client on the server of its page, without the long polling that comes before a WebSocket by default. */
export function join(url, listeners, options) {
  const socket = io(location.origin, { transports: ['websocket'], autoConnect: false, ...options })
  for (const [event, listener] of Object.entries(listeners)) socket.on(event, (data) => listener(data))
  void url.then(() => socket.connect())
  return {
    send: (event, data) => void socket.emit(event, data),
  }
}
