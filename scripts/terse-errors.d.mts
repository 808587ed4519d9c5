/** Takes the words out of the messages of our errors; `found` counts the base classes, which add the code. */
export function terse(code: string): { readonly text: { toString(): string }; readonly found: number }
