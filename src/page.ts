// Everything in one file, dist/lanewise.min.js: for a page that has no bundler and no import map. What tables and numpy's
// files take comes with lanewise/io alone.

export * from './index.ts'
export { readIdx, readSafetensors, type Source, writeSafetensors } from './io/index.ts'
