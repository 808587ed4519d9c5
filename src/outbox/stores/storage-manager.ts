/** What the browser says of the room that this site has. Undefined is what it does not say. */
export interface StorageEstimate {
  /** What the site holds, in bytes, all databases and caches together. */
  readonly usageBytes: number | undefined
  /** How much it may hold, in bytes. */
  readonly quotaBytes: number | undefined
  /** Whether the browser keeps it until the user deletes it. Otherwise it may go when the disk fills up, or after some days unused. */
  readonly isPersistent: boolean | undefined
}

/**
 * How much room is left for an outbox in IndexedDB, and whether the browser may take it away. Browsers round, and count
 * what is deleted for a while.
 *
 * @throws never: what the browser refuses to say is undefined
 * @example const { usageBytes, quotaBytes } = await estimateStorage()
 */
export async function estimateStorage(): Promise<StorageEstimate> {
  const { storage } = navigatorOf()
  const [estimate, isPersistent] = await Promise.all([
    storage?.estimate?.().catch(() => undefined),
    storage?.persisted?.().catch(() => undefined),
  ])
  return { usageBytes: estimate?.usage, quotaBytes: estimate?.quota, isPersistent }
}

/**
 * Asks the browser to keep what this site stores until the user deletes it. Firefox asks the user; the others decide by
 * themselves, for a site that is installed, bookmarked or much used. Call it when the user does something that should be
 * kept, since it may be asked once.
 *
 * @returns whether it is kept; false where the browser has no such promise
 * @example if (!(await persistStorage())) show('This browser may delete what is not sent yet')
 */
export async function persistStorage(): Promise<boolean> {
  return (
    (await navigatorOf()
      .storage?.persist?.()
      .catch(() => false)) ?? false
  )
}

/** In Node and on pages of plain http there is no such thing. */
const navigatorOf = (): { readonly storage?: Partial<StorageManager> } =>
  (globalThis as { readonly navigator?: { readonly storage?: Partial<StorageManager> } }).navigator ?? {}
