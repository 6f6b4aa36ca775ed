// A line break in the source between Chinese characters would be shown as a space; it is dropped.
import type { MarkdownRenderer } from 'vitepress'

const WIDE_PUNCTUATION = /[\u3000-\u303f\uff00-\uffef“”‘’…—]/u
const HAN = /\p{Script=Han}/u

/** Joins the lines of a paragraph where both sides are Chinese, or one is Chinese punctuation. */
export function joinChineseLines(md: MarkdownRenderer): void {
  md.renderer.rules.softbreak = (tokens, index) => {
    const before = [...(tokens.slice(0, index).findLast(token => token.content)?.content ?? '')].at(-1) ?? ''
    const after = [...(tokens.slice(index + 1).find(token => token.content)?.content ?? '')].at(0) ?? ''
    const punctuated = WIDE_PUNCTUATION.test(before) || WIDE_PUNCTUATION.test(after)
    const chinese = HAN.test(before) || HAN.test(after)
    return (punctuated && chinese) || (HAN.test(before) && HAN.test(after)) ? '' : '\n'
  }
}
