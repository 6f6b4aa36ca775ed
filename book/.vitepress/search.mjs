// How text is cut into search terms. Chinese has no spaces: a run of Han characters becomes overlapping pairs, so that
// 库存 is found in 热点库存行. Deterministic, where a dictionary (Intl.Segmenter) differs between Node and browsers.
// Plain JavaScript, because the build, the browser and the check of the built site all run it.

const WORD = /\p{Script=Han}+|[^\s\p{P}\p{S}\p{Script=Han}]+/gu
const CHINESE = /^\p{Script=Han}/u

/** Terms of a page: pairs, and the last character of a run, which begins no pair. */
function indexTerms(text) {
  return words(text).flatMap(word => {
    const characters = [...word]
    return CHINESE.test(word) ? characters.map((character, place) => character + (characters[place + 1] ?? '')) : [word]
  })
}

/** Terms of a question: pairs only; a single character finds the pairs that begin with it. */
function queryTerms(text) {
  return words(text).flatMap(word => {
    const characters = [...word]
    const single = !CHINESE.test(word) || characters.length === 1
    return single ? [word] : characters.slice(1).map((character, place) => characters[place] + character)
  })
}

function words(text) {
  return text.toLowerCase().match(WORD) ?? []
}

/** What MiniSearch is told, when the index is made and when it is asked. */
export const miniSearch = {
  options: { tokenize: indexTerms },
  searchOptions: { tokenize: queryTerms, combineWith: 'AND' },
}
