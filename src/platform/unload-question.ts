/**
 * Lets the browser ask the user before the page is left, until the returned function is called. A page that the user never
 * touched is left without a question, and in a worker nothing happens.
 *
 * Source: HTML Standard, "prompt to unload".
 */
export function askBeforeUnload(): () => void {
  const page = globalThis as Partial<Pick<Window, 'addEventListener' | 'removeEventListener'>>
  const ask = (event: BeforeUnloadEvent): void => {
    event.preventDefault()
    // oxlint-disable-next-line typescript/no-deprecated -- Chromium before 119 heeds this alone
    event.returnValue = true
  }
  page.addEventListener?.('beforeunload', ask)
  return () => page.removeEventListener?.('beforeunload', ask)
}
