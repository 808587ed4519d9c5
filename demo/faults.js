/** The buttons that break the link, in the words of the pages. What they do is in server/switchboard.mjs. */
export const FAULTS = [
  {
    name: 'cut',
    label: 'Cut',
    explanation: 'The server destroys the TCP connection, without a close frame.',
  },
  {
    name: 'stall',
    label: 'Stall',
    explanation: 'The server stops reading and answering. Only a missing pong tells.',
  },
  {
    name: 'restart',
    label: 'Restart',
    explanation: 'The server closes the links of all pages, and is down for 3 s.',
  },
  {
    name: 'refuse',
    label: 'Refuse for 10 s',
    explanation: 'Cuts the link and refuses each retry. Watch the waits grow.',
  },
]

/** Asks the server to break, or mend, the connection of the page that is known as `link`. */
export async function inflict(name, link) {
  const response = await fetch(`/control/${name}?link=${encodeURIComponent(link)}`, { method: 'POST' })
  return response.json()
}
