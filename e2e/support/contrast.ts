/**
 * The texts of a page whose contrast is below 4.5, or below 3 where they are large. Runs in the page.
 *
 * Source: WCAG 2.2, success criterion 1.4.3 "Contrast (Minimum)". Disabled controls are exempt there.
 */
export function lowContrasts(): string[] {
  const channels = (color: string): number[] => (color.match(/[\d.]+/g) ?? []).map(Number)
  const luminance = (color: string): number => {
    const [red = 0, green = 0, blue = 0] = channels(color).map((channel) => {
      const share = channel / 255
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  const groundOf = (element: Element | null): string => {
    for (let at = element; at; at = at.parentElement) {
      const { backgroundColor } = getComputedStyle(at)
      if (channels(backgroundColor)[3] !== 0) return backgroundColor
    }
    return 'rgb(255, 255, 255)'
  }
  const low: string[] = []

  function compare(element: Element, { color, fill, fontSize, fontWeight }: CSSStyleDeclaration, text: string): void {
    const isDrawn = element instanceof SVGElement
    const [ground, ink] = [groundOf(element), isDrawn ? fill : color].map(luminance) as [number, number]
    const contrast = (Math.max(ground, ink) + 0.05) / (Math.min(ground, ink) + 0.05)
    const size = Number.parseFloat(fontSize)
    const isLarge = size >= 24 || (size >= 18.66 && Number(fontWeight) >= 700)
    if (contrast < (isLarge ? 3 : 4.5)) low.push(`${contrast.toFixed(2)}: ${element.tagName} "${text}"`)
  }

  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (texts.nextNode()) {
    const text = texts.currentNode.textContent?.trim()
    const element = texts.currentNode.parentElement
    if (!text || !element?.checkVisibility() || element.closest(':disabled')) continue
    compare(element, getComputedStyle(element), text)
  }
  for (const input of document.querySelectorAll('input')) {
    compare(input, getComputedStyle(input, '::placeholder'), input.placeholder)
  }
  return low
}
