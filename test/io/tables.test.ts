import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  type CsvOptions,
  readCsv,
  readJsonl,
  readParquet,
  type Source,
  streamCsv,
  Table,
} from '../../src/data/index.ts'
import { readBytes } from '../../src/io/index.ts'
import { openFile } from '../../src/node/index.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const csv = (text: string, options?: CsvOptions) => readCsv(bytes(text), options)
const kinds = (table: Table) => Object.fromEntries(table.columns.map(({ name, kind }) => [name, kind]))

describe('readCsv', () => {
  test('finds delimiter, line ends, kinds and missing values', async () => {
    const text =
      'n,word,flag,day\r\n1.5,"a, ""b""\r\nc",true,2020-02-29\r\nNA,,False,\r\n-2e3,é,,2020-03-01T12:30:00.25+01:00\r\n'
    for (const mark of [',', ';', '\t', '|'])
      for (const form of [
        text,
        text.replaceAll('\r\n', '\n'),
        text.replaceAll('\r\n', '\r'),
        `\ufeff${text}`,
        text.trimEnd(),
      ]) {
        const table = await csv(form.replaceAll(/,(?! )/g, mark))
        expect(kinds(table)).toEqual({ n: 'number', word: 'text', flag: 'boolean', day: 'date' })
        expect(table.values('n')).toEqual([1.5, null, -2000])
        expect(
          table.values('word').map((word) => (word as string | null)?.replaceAll(/[\r\n]+/g, '/') ?? null),
        ).toEqual(['a, "b"/c', null, 'é'])
        expect(table.values('flag')).toEqual([true, false, null])
        expect(table.values('day')).toEqual([
          new Date(Date.UTC(2020, 1, 29)),
          null,
          new Date(Date.UTC(2020, 2, 1, 11, 30, 0, 250)),
        ])
      }
  })

  test.each<[string, CsvOptions, Record<string, unknown[]>]>([
    ['a;b\n1,5;2\n-3;4\n', { decimal: ',' }, { a: [1.5, -3], b: [2, 4] }],
    ['1,2\n3,4', { header: false }, { column_1: [1, 3], column_2: [2, 4] }],
    ['1,2\n3,4', { header: false, names: ['x', 'y'] }, { x: [1, 3], y: [2, 4] }],
    ['x,y\n3,4', { names: ['p', 'q'] }, { p: [3], q: [4] }],
    ['a,b\n1,?\n-1,2', { missing: ['?', '-1'] }, { a: [1, null], b: [null, 2] }],
    ['a,b\n1,2\n', { columns: ['b'] }, { b: [2] }],
    ['a\n1\n', { kinds: { a: 'text' } }, { a: ['1'] }],
    ["a,b\n'x,y',2\n", { quote: "'" }, { a: ['x,y'], b: [2] }],
    ['id\n9007199254740993\n1\n', {}, { id: ['9007199254740993', '1'] }],
    ['zip\n01234\n99999\n', {}, { zip: ['01234', '99999'] }],
    ['a,b\n0x10,1\n12,2\n', {}, { a: ['0x10', '12'], b: [1, 2] }],
    ['a,b\ninf,1\n-Infinity,2\n', {}, { a: [Infinity, -Infinity], b: [1, 2] }],
    ['\n\na,b\n\n1,2\n\n', {}, { a: [1], b: [2] }],
    ['a\n', {}, { a: [] }],
    [',b\n1,2\n', {}, { column_1: [1], b: [2] }],
    ['day\n2021-02-29\n2020-13-01\n', {}, { day: ['2021-02-29', '2020-13-01'] }],
    ['__proto__,constructor\n1,2\n', {}, { constructor: [2], ['__proto__']: [1] }],
  ])('%j with %o', async (text, options, columns) => {
    const table = await csv(text, options)
    expect(new Set(table.names)).toEqual(new Set(Object.keys(columns)))
    for (const name of table.names) expect(table.values(name)).toEqual(columns[name])
  })

  test('reads other encodings', async () => {
    const wide = new Uint8Array(2 * 9)
    new Uint16Array(wide.buffer).set([...'\ufeffa,b\nü,1\n'].map((c) => c.charCodeAt(0)))
    expect((await readCsv(wide)).row(0)).toEqual({ a: 'ü', b: 1 })
    const latin = Uint8Array.of(...bytes('a,b\n'), 0xfc, ...bytes(',1\n'))
    expect((await readCsv(latin, { encoding: 'windows-1252' })).row(0)).toEqual({ a: 'ü', b: 1 })
    await expect(readCsv(latin)).rejects.toThrow(
      "readCsv: the file is no utf-8; name another by encoding, as 'windows-1252'",
    )
    await expect(readCsv(latin, { encoding: 'nonsense' })).rejects.toThrow(
      "encoding is 'nonsense', which this runtime has not",
    )
  })

  test('gives the same in chunks of any size, however much is asked for at a time', async () => {
    const rows = Array.from({ length: 300 }, (_, i) => `${i},"é ${i}\n""q""",${i % 3 ? i / 7 : ''}`)
    const file = bytes(`n,text,x\r\n${rows.join('\r\n')}\r\n`)
    const whole = await readCsv(file)
    expect(whole.length).toBe(300)
    for (const size of [1, 7, 64]) {
      const stream: Source = {
        name: 'small.csv',
        byteLength: null,
        slice: async (a: number, b: number) => file.slice(a, b),
        async *stream() {
          for (let i = 0; i < file.length; i += size) yield file.subarray(i, i + size)
        },
      }
      const parts: Table[] = []
      for await (const part of streamCsv(stream, { batchRows: 64 })) parts.push(part)
      expect(parts.map(({ length }) => length)).toEqual([64, 64, 64, 64, 44])
      expect(parts.flatMap((part) => [...part.rows()])).toEqual([...whole.rows()])
    }
  })

  test('leaves out and counts what does not fit, where it may', async () => {
    const text = 'a,b\n1,2\n3,4,5\n6\n7,x\n8,9\n'
    const table = await csv(text, { onBadRow: 'skip', kinds: { b: 'number' } })
    expect([...table.rows()]).toEqual([
      { a: 1, b: 2 },
      { a: 8, b: 9 },
    ])
    expect(table.skipped.count).toBe(3)
    expect(table.skipped.reasons.map((reason) => reason.slice(0, 44))).toEqual([
      'row 3 has 3 fields, expected 2 as the header',
      'row 4 has 1 fields, expected 2 as the header',
      "row 5, column 'b' holds 'x', expected a numb",
    ])
  })

  test.each<[string, string, CsvOptions, RegExp]>([
    ['an empty file', '', {}, /the file is empty, expected a header and rows/],
    ['too many fields', 'a,b\n1,2\n3,4,5\n', {}, /row 3 has 3 fields, expected 2 as the header/],
    ['too few fields', 'a,b\n1\n', {}, /row 2 has 1 fields, expected 2/],
    [
      'text among numbers',
      'a\n1\n2\nx\n',
      { sampleRows: 2 },
      /row 4, column 'a' holds 'x', expected a number; kinds: \{ "a": 'text' \}/,
    ],
    [
      'digits beyond a double',
      'a\n1\n9007199254740993\n',
      { sampleRows: 1 },
      /row 3, column 'a' holds '9007199254740993', expected a number; larger/,
    ],
    ['a name twice', 'a,a\n1,2\n', {}, /columns 1 and 2 are both named 'a'/],
    ['a quote that stays open', 'a,b\n1,"2\n', {}, /row 2: Quoted field unterminated/],
    ['a quote in the middle', 'a,b\n1,"2"3\n', {}, /row 2: Trailing quote on quoted field is malformed/],
    ['a column that is not there', 'a\n1\n', { columns: ['b'] }, /columns names 'b', expected one of 'a'/],
    ['a kind of no column', 'a\n1\n', { kinds: { b: 'text' } }, /kinds names 'b', expected one of 'a'/],
    [
      'an unknown kind',
      'a\n1\n',
      { kinds: { a: 'int' as never } },
      /kinds is Object, expected an object of names and kinds/,
    ],
    ['an unknown option', 'a\n1\n', { delimeter: ',' } as never, /unknown option delimeter, expected delimiter/],
    ['a wrong number of names', 'a,b\n1,2\n', { names: ['x'] }, /names has 1 names, expected 2/],
  ])('refuses %s', async (_, text, options, message) => {
    await expect(csv(text, options)).rejects.toThrow(message)
    await expect(csv(text, options)).rejects.toThrow(/^readCsv: /)
    await expect(readCsv(new File([text], 'some.csv'), options)).rejects.toThrow(
      /^readCsv: (some\.csv: |\w+ is|unknown)/,
    )
  })
})

test('openFile of lanewise/node reads files, in pieces and from the beginning', async () => {
  const file = openFile(new URL('../fixtures/make.py', import.meta.url))
  const text = readFileSync(new URL('../fixtures/make.py', import.meta.url))
  expect(file.name).toBe('make.py')
  expect(await readBytes(file)).toEqual(new Uint8Array(text))
  expect(await file.slice(7, 19)).toEqual(new Uint8Array(text.subarray(7, 19)))
  expect((await file.sibling?.('npy.py'))?.byteLength).toBeGreaterThan(100)
  expect(() => openFile('no such file')).toThrow(/no such file/)
})

describe('readJsonl', () => {
  test('reads objects, their kinds and what they lack', async () => {
    const table = await readJsonl(
      bytes('{"a":1,"b":"x","c":true,"d":"2020-01-01"}\n\n{"b":null,"a":2.5,"c":false}\r\n{"__proto__":7}'),
    )
    expect(kinds(table)).toEqual({ a: 'number', b: 'text', c: 'boolean', d: 'date', ['__proto__']: 'number' })
    expect(table.values('a')).toEqual([1, 2.5, null])
    expect(table.values('__proto__')).toEqual([null, null, 7])
  })

  test.each<[string, string, RegExp]>([
    ['no rows', '\n\n', /the file has no rows/],
    ['no JSON', '{"a":1}\n{a:2}\n', /row 2 is no JSON/],
    ['a list', '[1]\n', /row 1 is \[1\], expected an object/],
    ['a name twice', '{"a":1,"a":2}\n', /row 1 names 'a' twice/],
    ['nested values', '{"a":1}\n{"a":{}}\n', /row 2, column 'a' holds a nested value, expected a (text|number)/],
    [
      'digits beyond a double',
      '{"a":9007199254740993}\n',
      /row 1, column 'a' holds 9007199254740992, expected whole numbers up to 2\^53/,
    ],
  ])('refuses %s', async (_, text, message) => {
    await expect(readJsonl(bytes(text))).rejects.toThrow(message)
    await expect(readJsonl(bytes(text))).rejects.toThrow(/^readJsonl: /)
  })
})

test('readParquet refuses what is none', async () => {
  await expect(readParquet(bytes('a,b\n1,2\n3,4\n5,6\n'))).rejects.toThrow(
    /^readParquet: the Parquet file cannot be read/,
  )
  await expect(readParquet(new Uint8Array(3))).rejects.toThrow(
    'readParquet: the file has 3 bytes, expected a Parquet file',
  )
})

describe('Table', () => {
  const rows = Array.from({ length: 40 }, (_, i) => ({
    id: i,
    word: i % 4 ? 'a' : 'b',
    day: new Date(86400000 * (i % 10)),
    group: `g${i % 5}`,
  }))
  const table = Table.fromRows(rows)

  test('selects, adds and filters', () => {
    expect(table.select('word', 'id').row(4)).toEqual({ word: 'b', id: 4 })
    expect(table.drop('day', 'group').names).toEqual(['id', 'word'])
    expect(table.with('twice', ({ id }) => 2 * (id as number)).values('twice')[7]).toBe(14)
    expect(table.filter(({ word }) => word === 'b').length).toBe(10)
    expect(table.slice(-2).values('id')).toEqual([38, 39])
    expect(Table.fromRows([{ a: 1 }, { a: null, b: 'x' }]).dropMissing('a').length).toBe(1)
    expect(String(table.slice(0, 1))).toBe('id  word  day         group\n0   b     1970-01-01  g0\n1 rows, 4 columns')
  })

  test('splits by class, group and time', () => {
    const [train, validation, rest] = table.split([0.5, 0.25, 0.25], { stratify: 'word', seed: 1 })
    expect([train, validation, rest].map(({ length }) => length)).toEqual([20, 10, 10])
    for (const part of [train, validation, rest])
      expect(Math.abs(part.values('word').filter((word) => word === 'b').length - part.length / 4)).toBeLessThan(1)
    const [left, right] = table.split([0.6, 0.4], { group: 'group', seed: 1 })
    const groups = new Set(left.values('group'))
    expect(right.values('group').some((group) => groups.has(group))).toBe(false)
    const [before, after] = table.split([0.7, 0.3], { time: 'day' })
    const last = Math.max(...before.values('day').map(Number))
    expect(after.values('day').every((day) => Number(day) > last)).toBe(true)
  })

  test.each<[string, () => unknown, RegExp]>([
    ['unknown columns', () => table.column('x'), /^Table: there is no column 'x', expected one of 'id', 'word'/],
    [
      'mixed values',
      () => Table.fromColumns({ a: [1, 'x'] }),
      /^Table: column 'a' holds 'x' in row 1, expected a number/,
    ],
    ['unequal columns', () => Table.fromColumns({ a: [1], b: [1, 2] }), /^Table: column 'b' has 2 rows, expected 1/],
    ['rows beyond the end', () => table.take([40]), /^Table.take: index 40 at 0, expected a whole number from 0 to 39/],
    [
      'two ways to split',
      () => table.split([0.5, 0.5], { group: 'group', time: 'day' }),
      /got group and time, expected one/,
    ],
  ])('refuses %s', (_, work, message) => {
    expect(work).toThrow(message)
  })
})
