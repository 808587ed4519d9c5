/**
 * A writer's id is `name~secret`: others see the name, and only who knows the secret speaks for the writer. One without a
 * `~` has no secret. PROTOCOL.md, section 1.
 */

/** What others may see of a writer. */
export const nameOf = (writer: string): string => writer.replace(/~.*/, '')

/** What proves that the writer is spoken for by its page; empty where it has none. */
export const secretOf = (writer: string): string => writer.slice(nameOf(writer).length + 1)

/** The id of a message, `name:sequence`: the same for ever, and on both sides. */
export const messageId = (writer: string, sequence: number): string => `${nameOf(writer)}:${sequence}`
