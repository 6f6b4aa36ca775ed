// How text is cut into search terms. Chinese has no spaces: a run of Han characters becomes overlapping pairs, so that
// 库存 is found in 热点库存行. Deterministic, where a dictionary (Intl.Segmenter) differs between Node and browsers.
//
// Both functions are sent to the browser as text, so neither may use anything outside itself.

/** Terms of a page: pairs, and the last character of a run, which begins no pair. */
export function indexTerms(text: string): string[] {
  const terms: string[] = []
  for (const word of text.toLowerCase().match(/\p{Script=Han}+|[^\s\p{P}\p{S}\p{Script=Han}]+/gu) ?? []) {
    if (!/^\p{Script=Han}/u.test(word)) {
      terms.push(word)
      continue
    }
    const characters = [...word]
    characters.forEach((character, place) => terms.push(character + (characters[place + 1] ?? '')))
  }
  return terms
}

/** Terms of a question: pairs only; a single character finds the pairs that begin with it. */
export function queryTerms(text: string): string[] {
  const terms: string[] = []
  for (const word of text.toLowerCase().match(/\p{Script=Han}+|[^\s\p{P}\p{S}\p{Script=Han}]+/gu) ?? []) {
    const characters = [...word]
    if (!/^\p{Script=Han}/u.test(word) || characters.length === 1) {
      terms.push(word)
      continue
    }
    characters.slice(1).forEach((character, place) => terms.push(characters[place] + character))
  }
  return terms
}
