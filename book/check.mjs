// Checks the built site: what VitePress itself does not look at. Run by `npm run build`; it changes nothing.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import MiniSearch from 'minisearch'
import { miniSearch } from './.vitepress/search.mjs'

const book = fileURLToPath(new URL('.', import.meta.url))
const dist = join(book, '.vitepress/dist')
const base = process.env.PGSTRATA_BOOK_BASE ?? '/docs/'
const files = readdirSync(dist, { recursive: true, withFileTypes: true })
  .filter(entry => entry.isFile())
  .map(entry => join(entry.parentPath ?? entry.path, entry.name))
const sources = readdirSync(book, { recursive: true })
  .filter(name => name.endsWith('.md') && !name.startsWith('node_modules') && !name.startsWith('.vitepress'))
  .map(name => join(book, name))
const pages = new Map(
  files.filter(file => file.endsWith('.html')).map(file => [relative(dist, file), readFileSync(file, 'utf8')]),
)

/** Links to a place inside a page lead to a place that is there. */
function deadAnchors() {
  const found = []
  for (const [page, html] of pages) {
    for (const [, href] of html.matchAll(/<a [^>]*href="([^"]*#[^"]+)"/g)) {
      const target = new URL(href, `site:${base}${page}`)
      if (target.protocol !== 'site:') continue
      const name = target.pathname.slice(base.length).replace(/(^|\/)$/, '$1index.html')
      const anchor = decodeURIComponent(target.hash.slice(1))
      if (!pages.get(name)?.includes(`id="${anchor}"`)) found.push(`${page}: nothing is at ${href}`)
    }
  }
  return found
}

/** Every included file is there, and the named part of it: of a part that is not there VitePress shows the whole file. */
function missingSnippets() {
  const found = []
  for (const page of sources) {
    for (const [, path, region] of readFileSync(page, 'utf8').matchAll(/^<<< ([^#{\s]+)(?:#(\w+))?/gm)) {
      const file = join(dirname(page), path)
      if (!existsSync(file)) found.push(`${relative(book, page)}: there is no ${path}`)
      else if (region && !readFileSync(file, 'utf8').includes(`#region ${region}\n`)) {
        found.push(`${relative(book, page)}: ${path} has no part ${region}`)
      }
    }
  }
  return found
}

/** A reader without a network sees the same pages: nothing is fetched from another host. */
function foreignResources() {
  const resource = /<(?:script|img|iframe|source)[^>]+src="(?:https?:)?\/\/|<link[^>]+href="(?:https?:)?\/\//
  const found = [...pages].filter(([, html]) => resource.test(html)).map(([page]) => page)
  const styles = files.filter(file => file.endsWith('.css') && /url\(["']?(?:https?:)?\/\//.test(readFileSync(file, 'utf8')))
  return [...found, ...styles.map(file => relative(dist, file))].map(file => `${file}: fetches from another host`)
}

/** Each English page has its Chinese one and the other way round, apart from those that only exist in English. */
function untranslated() {
  const englishOnly = ['404.html', 'template.html', join('reference', 'cli.html')]
  const names = [...pages.keys()].filter(page => !englishOnly.includes(page))
  const other = page => (page.startsWith('zh/') ? page.slice(3) : `zh/${page}`)
  return names.filter(page => !pages.has(other(page))).map(page => `${page}: ${other(page)} is missing`)
}

/** The search index of a language finds each of these words. */
async function deafSearch(language, words) {
  const chunks = join(dist, 'assets', 'chunks')
  const file = readdirSync(chunks).find(name => name.startsWith(`@localSearchIndex${language}.`))
  const { default: index } = await import(pathToFileURL(join(chunks, file)).href)
  const search = MiniSearch.loadJSON(index, {
    fields: ['title', 'titles', 'text'],
    storeFields: ['title', 'titles'],
    searchOptions: { fuzzy: 0.2, prefix: true, ...miniSearch.searchOptions },
    ...miniSearch.options,
  })
  return words.filter(word => search.search(word).length === 0).map(word => `search (${language}): nothing about ${word}`)
}

/** Nothing is evaluated from text, so that a strict content security policy can stand. */
function evaluatedScripts() {
  return [...pages].filter(([, html]) => html.includes('new Function')).map(([page]) => `${page}: evaluates text`)
}

const findings = [
  ...deadAnchors(),
  ...missingSnippets(),
  ...foreignResources(),
  ...untranslated(),
  ...evaluatedScripts(),
  ...(await deafSearch('root', ['postmaster', 'oversell'])),
  ...(await deafSearch('zh', ['超卖', '库存', '故障', 'postmaster'])),
]
for (const finding of findings) console.error(`book: ${finding}`)
console.log(`book: ${pages.size} pages, ${findings.length} findings`)
process.exitCode = findings.length > 0 ? 1 : 0
