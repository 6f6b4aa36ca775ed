// The type of search.mjs.
export declare const miniSearch: {
  options: { tokenize: (text: string) => string[] }
  searchOptions: { tokenize: (text: string) => string[]; combineWith: 'AND' }
}
