/** The transitions as a Mermaid diagram. Triggers that lead from one state to the same other state share an arrow. */
export function diagramOf(transitions: Readonly<Record<string, Readonly<Record<string, string>>>>): string
/** The text with the diagram between its two markers. Throws an Error where the markers are missing. */
export function withDiagram(markdown: string, diagram: string): string
