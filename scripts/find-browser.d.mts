/** The path of a Chromium that can run the tests in e2e/. Rejects with what to install when there is none. */
export function findBrowser(): Promise<string>
