// How the page is built: one script, one style sheet, paths relative, so that it works under any prefix; and beside it
// `share.html`, the same page in one file, into which a recording is put to be sent to somebody.
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

/** Whoever exports a recording puts `<script type="application/json" id="pgstrata-recording">…</script>` before `</head>`. */
function shareInOneFile(): Plugin {
  return {
    name: 'share-in-one-file',
    enforce: 'post',
    generateBundle(_, bundle) {
      const files = Object.values(bundle);
      const text = (ending: string) =>
        files
          .filter((file) => file.fileName.endsWith(ending))
          .map((file) => (file.type === 'chunk' ? file.code : String(file.source)))
          .join('\n');
      // A closing tag inside a string would end the element; replacement as a function, for `$&` in the code.
      const script = text('.js').replaceAll('</script', '<\\/script');
      const source = [
        '<!doctype html>',
        '<html lang="en">',
        '<head>',
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        '<title>pgstrata</title>',
        `<style>${text('.css')}</style>`,
        '</head>',
        '<body>',
        '<div id="root"></div>',
        `<script type="module">${script}</script>`,
        '</body>',
        '</html>',
        '',
      ].join('\n');
      this.emitFile({ type: 'asset', fileName: 'share.html', source });
    },
  };
}

export default defineConfig({
  base: './',
  plugins: [react(), shareInOneFile()],
  build: { target: 'es2022', chunkSizeWarningLimit: 800, modulePreload: false, assetsInlineLimit: 0 },
  server: {
    proxy: Object.fromEntries(
      ['/api', '/docs', '/openapi.json'].map((path) => [
        path,
        { target: process.env['PGSTRATA_SERVER'] ?? 'http://127.0.0.1:5151', ws: true },
      ]),
    ),
  },
});
