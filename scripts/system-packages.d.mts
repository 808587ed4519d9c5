/** The path of a Python that can `import websockets`. Rejects with what to install when there is none. */
export function findPython(): Promise<string>

/** The path of the redis-server program. Rejects with what to install when there is none. */
export function findRedisServer(): Promise<string>
