// What stands in the bar and at the side, in both languages. A page that is not listed here can only be found by search.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { DefaultTheme } from 'vitepress'

/** One entry: the page's path without a language, its English name, its Chinese name. */
type Entry = [path: string, en: string, zh: string]
type Section = { en: string; zh: string; entries: Entry[] }

/** Pages that exist in English only: generated, or about the book itself. */
const ENGLISH_ONLY = ['/reference/cli', '/template']

const SYSTEM_PAGES: Entry[] = [
  ['requirements', 'Requirements', '需求'],
  ['design', 'Design', '设计'],
  ['schema', 'Schema and statements', '表结构与语句'],
  ['verification', 'Verification', '验证'],
  ['performance', 'Performance', '性能'],
  ['operations', 'Operations', '运维'],
]

/** Pages that a system has besides those that all have, by its folder. */
const FURTHER_PAGES: Record<string, Entry[]> = {
  advisor: [['reading-a-verdict', 'How to read a verdict', '如何阅读结论']],
}

/** The systems of a shelf in the order of their ids, each with its pages; titles are those of the requirements page. */
function systems(shelf: string): Section[] {
  const folder = fileURLToPath(new URL(`../${shelf}`, import.meta.url))
  const names = existsSync(folder) ? readdirSync(folder, { withFileTypes: true }).filter(entry => entry.isDirectory()) : []
  const title = (language: string, name: string, colon: string) => {
    const page = fileURLToPath(new URL(`../${language}${shelf}/${name}/requirements.md`, import.meta.url))
    const [heading] = readFileSync(page, 'utf8').split('\n', 1)
    return heading.replace(/^# /, '').split(colon)[0]
  }
  return names
    .map(({ name }) => ({
      en: title('', name, ': '),
      zh: title('zh/', name, '：'),
      entries: [...SYSTEM_PAGES, ...(FURTHER_PAGES[name] ?? [])].map(([page, en, zh]): Entry => [`/${shelf}/${name}/${page}`, en, zh]),
    }))
    .sort((left, right) => left.en.localeCompare(right.en))
}

const SECTIONS: Section[] = [
  {
    en: 'Start',
    zh: '开始',
    entries: [
      ['/', 'What pgstrata is', 'pgstrata 是什么'],
      ['/getting-started', 'Getting started', '快速上手'],
    ],
  },
  {
    en: 'Concepts',
    zh: '概念',
    entries: [
      ['/concepts/layers', 'Layers and questions', '层次与三个问题'],
      ['/concepts/judging', 'How we judge', '如何判定'],
      ['/concepts/faults', 'Faults', '故障'],
      ['/concepts/durability', 'Durability', '持久性'],
      ['/concepts/audit-trail', 'The audit trail', '审计链'],
      ['/concepts/exact-graph', 'The exact dependency graph', '精确依赖图'],
      ['/concepts/version-history', 'The life of a version, from the log', '从日志看一个行版本的一生'],
      ['/concepts/serializable-bugs', 'Two bugs of the serializable level', '可串行化级别的两个缺陷'],
    ],
  },
  {
    en: 'Guides',
    zh: '指南',
    entries: [
      ['/guide/workbench', 'The workbench: API and safety', '工作台：API 与安全'],
      ['/guide/your-server', 'Your own server', '接入自己的服务器'],
      ['/guide/scenarios', 'Scenarios', '场景'],
      ['/guide/continuous-integration', 'Continuous integration', '持续集成'],
      ['/guide/isolation-specifications', 'PostgreSQL\'s isolation specifications', 'PostgreSQL 的隔离规格文件'],
      ['/guide/writing-a-study', 'Writing a study', '编写一个研究'],
    ],
  },
  { en: 'Cases', zh: '案例', entries: [['/cases/', 'All cases', '全部案例']] },
  ...systems('cases'),
  ...systems('research'),
  ...systems('tools'),
  {
    en: 'The checker',
    zh: '检查器',
    entries: [
      ['/checker/formats', 'Checking a history', '检查一段历史'],
      ['/checker/method', 'How histories are checked', '如何检查历史'],
    ],
  },
  {
    en: 'Library',
    zh: '库',
    entries: [['/library/sequencer', 'The sequencer', '定序器']],
  },
  {
    en: 'Reference',
    zh: '参考',
    entries: [
      ['/reference/cli', 'Command line', '命令行（英文）'],
      ['/template', 'Pages of a system', '系统页面的模板（英文）'],
    ],
  },
]

function sidebar(chinese: boolean): DefaultTheme.SidebarItem[] {
  const link = (path: string) => (chinese && !ENGLISH_ONLY.includes(path) ? `/zh${path}` : path)
  return SECTIONS.map(section => ({
    text: chinese ? section.zh : section.en,
    items: section.entries.map(([path, en, zh]) => ({ text: chinese ? zh : en, link: link(path) })),
  }))
}

export const english: DefaultTheme.Config = {
  nav: [
    { text: 'Getting started', link: '/getting-started' },
    { text: 'How we judge', link: '/concepts/judging' },
    { text: 'Cases', link: '/cases/' },
    { text: 'Command line', link: '/reference/cli' },
  ],
  sidebar: sidebar(false),
}

export const chinese: DefaultTheme.Config = {
  nav: [
    { text: '快速上手', link: '/zh/getting-started' },
    { text: '如何判定', link: '/zh/concepts/judging' },
    { text: '案例', link: '/zh/cases/' },
    { text: '命令行', link: '/reference/cli' },
  ],
  sidebar: sidebar(true),
  outline: { level: [2, 3], label: '本页内容' },
  docFooter: { prev: '上一页', next: '下一页' },
  darkModeSwitchLabel: '外观',
  lightModeSwitchTitle: '切换到浅色',
  darkModeSwitchTitle: '切换到深色',
  sidebarMenuLabel: '目录',
  returnToTopLabel: '回到顶部',
  langMenuLabel: '语言',
  skipToContentLabel: '跳到正文',
}
