/** The buttons that break the link, in the words of the pages. What they do is in server/switchboard.mjs. */
export const FAULTS = [
  {
    name: 'cut',
    label: 'Cut',
    explanation: 'The server destroys this page’s TCP connection. No close frame, no goodbye.',
  },
  {
    name: 'stall',
    label: 'Stall',
    explanation: 'The server stops reading, and says nothing. The link looks open; only a missing pong betrays it.',
  },
  {
    name: 'restart',
    label: 'Restart',
    explanation: 'The echo server sends everybody away, stays down for 3 s and starts again. Every open page notices.',
  },
  {
    name: 'refuse',
    label: 'Refuse for 10 s',
    explanation: 'Cuts this page off and turns it away for a while. Watch the retries back off.',
  },
]

/** Asks the server to break, or mend, the connection of the page that is known as `link`. */
export async function inflict(name, link) {
  const response = await fetch(`/control/${name}?link=${encodeURIComponent(link)}`, { method: 'POST' })
  return response.json()
}
