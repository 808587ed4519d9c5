/** Why a program cannot be had here; undefined: it can. */
export const whyNot = (find: () => Promise<unknown>): Promise<string | undefined> =>
  find().then(
    () => undefined,
    (error: unknown) => String(error),
  )
