// VitePress's own theme with the reader's own fonts: the Inter that it ships has no Chinese, and is 1 MB.
import type { Theme } from 'vitepress'
import DefaultTheme from 'vitepress/theme-without-fonts'
import { miniSearch } from '../search.mjs'
import './style.css'

export default {
  extends: DefaultTheme,
  enhanceApp({ siteData }) {
    // Given to VitePress as configuration, these functions would reach the browser as text and be evaluated there, which
    // a strict content security policy forbids.
    const { themeConfig } = siteData.value
    const search = { ...themeConfig.search, options: { ...themeConfig.search.options, miniSearch } }
    siteData.value = { ...siteData.value, themeConfig: { ...themeConfig, search } }
  },
} satisfies Theme
