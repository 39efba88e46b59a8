// Everything in one file, dist/lanewise.min.js: for a page that has no bundler and no import map.

export * from './index.ts'
export * from './io/index.ts'
