/** One origin as its pages see each other: through Web Locks and broadcast channels. */
export interface FakeOrigin {
  page(): FakePage
}

/** What one page finds in its globals. */
export interface FakePage {
  readonly locks: LockManager
  readonly BroadcastChannel: typeof BroadcastChannel
  /** As when the renderer dies: its locks are free at once, its requests are gone, and it hears nothing any more. */
  crash(): void
}

/** Everything takes a turn of the event loop, as it takes a trip to the browser's process. */
export function createFakeOrigin(): FakeOrigin {
  const locks = createLockQueue()
  const channels = new Set<FakeChannel>()

  return {
    page() {
      const owner = { isDead: false }
      return {
        locks: locks.forOwner(owner),
        BroadcastChannel: channelClass(channels, owner),
        crash() {
          owner.isDead = true
          locks.freeDead()
        },
      }
    },
  }
}

interface Owner {
  isDead: boolean
}

interface LockRequest {
  readonly name: string
  readonly owner: Owner
  isHeld: boolean
  grant(lock: Lock | null): Promise<void>
}

interface LockQueue {
  forOwner(owner: Owner): LockManager
  freeDead(): void
}

/** All requests, first come first served; exclusive mode only. Source: W3C Web Locks API, section 4. */
function createLockQueue(): LockQueue {
  let requests: LockRequest[] = []

  function remove(request: LockRequest): void {
    requests = requests.filter((other) => other !== request)
    grantNext()
  }

  function grantNext(): void {
    for (const request of requests) {
      const isFirst = requests.find(({ name }) => name === request.name) === request
      if (isFirst && !request.isHeld) hold(request)
    }
  }

  function hold(request: LockRequest): void {
    request.isHeld = true
    setImmediate(() => {
      if (!request.owner.isDead) void request.grant({ name: request.name, mode: 'exclusive' })
    })
  }

  function ask(owner: Owner, name: string, options: LockOptions, callback: LockGrantedCallback<unknown>) {
    return new Promise<unknown>((resolve, reject) => {
      const { ifAvailable = false, signal } = options
      if (ifAvailable && signal)
        throw new DOMException('ifAvailable and signal exclude each other', 'NotSupportedError')
      signal?.throwIfAborted()
      const request: LockRequest = {
        name,
        owner,
        isHeld: false,
        async grant(lock) {
          const [outcome] = await Promise.allSettled([(async () => callback(lock))()])
          remove(request)
          if (outcome.status === 'fulfilled') resolve(outcome.value)
          else reject(outcome.reason)
        },
      }
      if (ifAvailable && requests.some((other) => other.name === name)) {
        setImmediate(() => {
          if (!owner.isDead) void request.grant(null)
        })
        return
      }
      signal?.addEventListener('abort', () => {
        if (request.isHeld) return
        remove(request)
        reject(signal.reason)
      })
      requests.push(request)
      grantNext()
    })
  }

  return {
    forOwner: (owner) =>
      ({
        request: (name: string, ...rest: [LockOptions, LockGrantedCallback<unknown>]) => ask(owner, name, ...rest),
        query: () => Promise.resolve({ held: requests.filter(({ isHeld }) => isHeld).map(({ name }) => ({ name })) }),
        // The fake has the one overload that is used.
      }) as LockManager,
    freeDead() {
      requests = requests.filter(({ owner }) => !owner.isDead)
      grantNext()
    },
  }
}

interface FakeChannel extends EventTarget {
  readonly name: string
}

function channelClass(channels: Set<FakeChannel>, owner: Owner): typeof BroadcastChannel {
  class Channel extends EventTarget implements FakeChannel {
    constructor(readonly name: string) {
      super()
      channels.add(this)
    }

    override dispatchEvent(event: Event): boolean {
      return !channels.has(this) || owner.isDead || super.dispatchEvent(event)
    }

    postMessage(data: unknown): void {
      if (!channels.has(this)) throw new DOMException('Channel is closed', 'InvalidStateError')
      for (const other of channels) {
        if (other === this || other.name !== this.name || owner.isDead) continue
        setImmediate(() => other.dispatchEvent(new MessageEvent('message', { data: structuredClone(data) })))
      }
    }

    close(): void {
      channels.delete(this)
    }
  }
  // It has what the store uses of a channel, and no more.
  return Channel as unknown as typeof BroadcastChannel
}
