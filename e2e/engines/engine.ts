/** One tab of a browser, as a journey drives it. */
export interface Tab {
  /** Goes to another page, and waits until it has loaded. */
  goto(url: string): Promise<void>
  /**
   * Calls a function in the page and waits for what it returns. The function stands alone: all that it needs is in
   * `argument`, which JSON can carry, and so can its result.
   */
  run<Argument, Result>(act: (argument: Argument) => Result | Promise<Result>, argument: Argument): Promise<Result>
  run<Result>(act: () => Result | Promise<Result>): Promise<Result>
  reload(): Promise<void>
  /** As by the browser's back button. */
  back(): Promise<void>
  close(): Promise<void>
}

/** A browser that runs, with one profile for all its tabs. */
export interface Engine {
  /** Its name and version. */
  readonly version: string
  open(url: string): Promise<Tab>
  close(): Promise<void>
}

/** A kind of browser. */
export interface EngineDriver {
  /** What is missing on this machine; undefined: nothing. */
  missing(): Promise<string | undefined>
  launch(): Promise<Engine>
}
