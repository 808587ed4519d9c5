export { createEchoServer } from './echo.js'
export type { EchoServer, EchoServerOptions, ServerAddress } from './echo.js'
