/** In a page: starts the module worker of the fixtures, and resolves with what it tells of a text that it sends. */
export const talkToWorker = (options: { url: string; text: string }): Promise<object> =>
  new Promise((resolve, reject) => {
    const worker = new Worker(`/module-worker.mjs?${new URLSearchParams(options)}`, { type: 'module' })
    const all = {}
    worker.addEventListener('error', ({ message }) => reject(new Error(`The worker fails: ${message}`)))
    worker.addEventListener('message', ({ data }: MessageEvent<object>) => {
      if (Object.keys(Object.assign(all, data)).length === 3) resolve(all)
    })
  })
