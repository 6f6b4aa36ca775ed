// VitePress's own theme with the reader's own fonts: the Inter that it ships has no Chinese, and is 1 MB.
import Theme from 'vitepress/theme-without-fonts'
import './style.css'

export default Theme
