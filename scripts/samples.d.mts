/** What the samples of README.md take from the application around them. */
export const APPLICATION: string
/** The TypeScript samples of a Markdown text by their files' names. Throws where there is none. */
export function samplesOf(markdown: string): Map<string, string>
