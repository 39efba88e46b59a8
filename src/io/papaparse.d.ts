/** The part of papaparse that is used here, and that its own declarations leave out. */
declare module 'papaparse' {
  export interface Parsed {
    data: string[][]
    errors: { row: number; code: string; message: string }[]
    /** Where the first character lies that belongs to no complete row. */
    meta: { cursor: number }
  }
  export class Parser {
    constructor(config: { delimiter: string; newline: string; quoteChar: string; escapeChar: string })
    parse(text: string, base: number, ignoreLastRow: boolean): Parsed
  }
  const papa: { Parser: typeof Parser }
  export default papa
}
