/** The path of a Python that can `import websockets`. Rejects with what to install when there is none. */
export function findPython(): Promise<string>

/** The path of nginx. Rejects with what to install when there is none. */
export function findNginx(): Promise<string>

/** The programs with one of these names, those on PATH first. */
export function programsNamed(names: readonly string[], moreFolders?: readonly string[]): string[]

/** The path of the redis-server program. Rejects with what to install when there is none. */
export function findRedisServer(): Promise<string>

/** The path of Firefox. Rejects with what to install when there is none. */
export function findFirefox(): Promise<string>

/** The paths of WebKitGTK's browser, of its WebDriver, and of a screen for it. Rejects with what to install. */
export function findWebKit(): Promise<{ miniBrowser: string; webDriver: string; xvfb: string }>
