import type { Page } from '@playwright/test'

/**
 * Lets `ms` of the page's time pass at once, with every timer that falls due, then opens and closes one more socket.
 *
 * The browser dials one address at a time, in order (RFC 6455, section 4.1). So when that socket is open, each connection that a page began
 * earlier to the address of `url` has reached the server: a test can count. The count includes this socket.
 * The page's clock must be Playwright's: call `page.clock.install()` before the page makes its client.
 *
 * @example
 * await passTime(page, server.url)
 * expect(server.paths).toHaveLength(before + 1)
 */
export async function passTime(page: Page, url: string, ms = 60_000): Promise<void> {
  await page.clock.runFor(ms)
  await page.evaluate(
    (target) =>
      new Promise<void>((resolve, reject) => {
        const socket = new WebSocket(target)
        const refused = (): void => reject(new Error(`Nothing can be opened at ${target}`))
        socket.addEventListener('error', refused)
        socket.addEventListener('close', () => resolve())
        socket.addEventListener('open', () => socket.close())
      }),
    url,
  )
}
