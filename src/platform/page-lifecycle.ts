/** What the page's surroundings tell us. All are hints: none is believed without a look at the link itself. */
export type Signal = 'wake' | 'doubt' | 'hide' | 'part' | 'suspend' | 'resume' | 'leave'

/**
 * Listens to the page's life until the returned function is called.
 *
 * - `wake`: the page came into view, or the machine says that it is online again.
 * - `hide`: the page goes out of view, and its timers may fire once a minute from now on.
 * - `doubt`: the machine says that it is offline, which a VPN or a local server may contradict.
 * - `part`: `suspend` or `leave` will follow in this task, when the listeners of the application have had their last word.
 * - `suspend`: the page is frozen or goes into the back/forward cache, where a socket does not survive; or the browser makes
 *   it ready for a user who may never come, which is said soon.
 * - `resume`: it is back, or its user has come.
 * - `leave`: it ends, by a reload or another page.
 *
 * Source: Page Lifecycle (WICG); Prerendering Revamped (WICG); HTML Standard, "pagehide" and "pageshow" events with `persisted`.
 */
export function watchSignals(listener: (signal: Signal) => void): () => void {
  const { document } = globalThis as { document?: Document & { readonly prerendering?: boolean } }
  const bound: (() => void)[] = []
  const listen = (target: EventTarget | undefined, type: string, hear: (event: Event) => void, first = false): void => {
    target?.addEventListener?.(type, hear, first)
    bound.push(() => target?.removeEventListener?.(type, hear, first))
  }
  const onPersisted = (signal: Signal) => (event: Event) => {
    if ((event as PageTransitionEvent).persisted) listener(signal)
  }
  const page = globalThis as unknown as EventTarget
  listen(page, 'online', () => listener('wake'))
  listen(page, 'offline', () => listener('doubt'))
  const onGone = (event: Event): void => listener((event as PageTransitionEvent).persisted ? 'suspend' : 'leave')
  const onPagehide = (): void => {
    listener('part')
    // Added by the first listener it is the last: the browser looks anew at those that do not capture. Source: DOM Standard, "dispatch".
    page.addEventListener('pagehide', onGone, { once: true })
  }
  listen(page, 'pagehide', onPagehide, true)
  bound.push(() => page.removeEventListener?.('pagehide', onGone))
  listen(page, 'pageshow', onPersisted('resume'))
  listen(document, 'freeze', () => listener('suspend'))
  listen(document, 'resume', () => listener('resume'))
  listen(document, 'prerenderingchange', () => listener('resume'))
  listen(document, 'visibilitychange', () => listener(document?.hidden ? 'hide' : 'wake'))
  // Later, but before anything is dialled: whoever asks to listen is just about to connect.
  if (document?.prerendering) queueMicrotask(() => listener('suspend'))
  return () => bound.forEach((unbind) => unbind())
}
