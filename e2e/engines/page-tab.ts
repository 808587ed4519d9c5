import type { Tab } from './engine.js'

/** A page as Playwright and Puppeteer have it. */
interface DrivenPage {
  goto(url: string): Promise<unknown>
  evaluate<Result>(act: (argument: unknown) => Result | Promise<Result>, argument: unknown): Promise<Result>
  reload(): Promise<unknown>
  close(): Promise<void>
}

/** @param back goes back as by the browser's button */
export const tabOf = (page: DrivenPage, back: () => Promise<unknown>): Tab => ({
  goto: async (url) => void (await page.goto(url)),
  run: <Argument, Result>(act: (argument: Argument) => Result | Promise<Result>, argument?: Argument) =>
    // It is called with this argument alone.
    page.evaluate(act as (argument: unknown) => Result | Promise<Result>, argument),
  reload: async () => void (await page.reload()),
  back: async () => void (await back()),
  close: () => page.close(),
})
