/** What the samples of README.md take from the application around them. */
export const APPLICATION = `
declare const userId: string
declare const users: { ofTicket(ticket: unknown): Promise<{ user: string; expiresAt: number } | null> }
declare const database: {
  insert(row: { id: string; text: string }): Promise<void>
  roomsOf(user: string): Promise<string[]>
  membersOf(room: string): Promise<string[]>
  addMember(room: string, user: string): Promise<void>
}
declare function fetchTicket(): Promise<string>
declare function show(from: string, text: string): void
declare function play(message: { from: string; text: string }): void
declare function reloadEverything(reason: string): void
`

/**
 * The TypeScript samples of a Markdown text, as files. A first line such as `// chat.ts` names the file, so that other
 * samples can import it. Each sample stands in its file at the lines at which it stands in the text.
 *
 * @throws {Error} where there is no sample, or where two have one name
 */
export function samplesOf(markdown) {
  const fences = [...markdown.matchAll(/^```(tsx?)\n(.*?)^```$/gms)]
  if (fences.length === 0) throw new Error('There is no sample to compile')
  const samples = new Map()
  for (const { index, 1: language, 2: text } of fences) {
    const before = markdown.slice(0, index).split('\n').length
    const name = /^\/\/ (\S+\.tsx?)\n/.exec(text)?.[1] ?? `sample-${before + 1}.${language}`
    if (samples.has(name)) throw new Error(`Two samples are called ${name}`)
    samples.set(name, '\n'.repeat(before) + text)
  }
  return samples
}
