// The site: English at the root, Chinese under /zh, everything served from here (no font, script or search from outside).
// What is on the pages is not said here.
import { defineConfig } from 'vitepress'
import { english, chinese } from './navigation.mts'
import { miniSearch } from './search.mjs'
import { extendMarkdown } from './markdown.mts'

// The built site is embedded below /docs/; PGSTRATA_BOOK_BASE=/ builds it for the root of a host.
const base = process.env.PGSTRATA_BOOK_BASE ?? '/docs/'

export default defineConfig({
  base,
  title: 'pgstrata',
  description: 'A workbench for PostgreSQL concurrency',
  srcExclude: ['README.md'],
  ignoreDeadLinks: false,
  // Plain files need no server that knows about endings.
  cleanUrls: false,
  lastUpdated: false,
  head: [['link', { rel: 'icon', type: 'image/svg+xml', href: `${base}icon.svg` }]],
  // The site's data in a file instead of in each page.
  metaChunk: true,
  markdown: { theme: { light: 'github-light', dark: 'github-dark' }, config: extendMarkdown },
  locales: {
    root: { label: 'English', lang: 'en', themeConfig: english },
    zh: { label: '简体中文', lang: 'zh-CN', link: '/zh/', description: 'PostgreSQL 并发工作台', themeConfig: chinese },
  },
  themeConfig: {
    logo: '/icon.svg',
    outline: { level: [2, 3] },
    search: {
      provider: 'local',
      options: searchOptions(),
    },
  },
})

/** For making the index; not enumerable, so that it is not sent to the browser, which has it from the theme. */
function searchOptions() {
  return Object.defineProperty({ locales: { zh: { translations: chineseSearch() } } }, 'miniSearch', { value: miniSearch })
}

function chineseSearch() {
  return {
    button: { buttonText: '搜索', buttonAriaLabel: '搜索' },
    modal: {
      displayDetails: '显示详情',
      resetButtonTitle: '清除',
      backButtonTitle: '返回',
      noResultsText: '没有找到：',
      footer: {
        selectText: '打开',
        selectKeyAriaLabel: '回车',
        navigateText: '选择',
        navigateUpKeyAriaLabel: '向上',
        navigateDownKeyAriaLabel: '向下',
        closeText: '关闭',
        closeKeyAriaLabel: 'Esc',
      },
    },
  }
}
