// What is shown otherwise than markdown-it would: lines of Chinese, and short pieces of code.
import type { MarkdownRenderer } from 'vitepress'

const WIDE_PUNCTUATION = /[\u3000-\u303f\uff00-\uffef“”‘’…—]/u
const HAN = /\p{Script=Han}/u

/** Code up to this length stays on one line, so that `--arms` is not torn after its hyphens. */
const SHORT_CODE = 36

export function extendMarkdown(md: MarkdownRenderer): void {
  joinChineseLines(md)
  keepShortCodeTogether(md)
}

/** A line break in the source between Chinese characters would be shown as a space; it is dropped. */
function joinChineseLines(md: MarkdownRenderer): void {
  md.renderer.rules.softbreak = (tokens, index) => {
    const before = [...(tokens.slice(0, index).findLast(token => token.content)?.content ?? '')].at(-1) ?? ''
    const after = [...(tokens.slice(index + 1).find(token => token.content)?.content ?? '')].at(0) ?? ''
    const punctuated = WIDE_PUNCTUATION.test(before) || WIDE_PUNCTUATION.test(after)
    const chinese = HAN.test(before) || HAN.test(after)
    return (punctuated && chinese) || (HAN.test(before) && HAN.test(after)) ? '' : '\n'
  }
}

function keepShortCodeTogether(md: MarkdownRenderer): void {
  const render = md.renderer.rules.code_inline
  md.renderer.rules.code_inline = (tokens, index, options, env, self) => {
    if (tokens[index].content.length <= SHORT_CODE) tokens[index].attrJoin('class', 'short')
    return render ? render(tokens, index, options, env, self) : self.renderToken(tokens, index, options)
  }
}
