import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { init, type NDArray, nn, tensor } from '../src/index.ts'
import { readSafetensors, writeSafetensors } from '../src/io/index.ts'
import { runs } from './helpers/long.ts'

type Arrays = Record<string, NDArray>

const fixture = (name: string): Buffer =>
  readFileSync(new URL(`fixtures/reference-${name}.safetensors`, import.meta.url))

const array = (arrays: Arrays, name: string): NDArray => {
  const found = arrays[name]
  if (!found) throw new Error(`there is no ${name}`)
  return found
}

/** A file with this header, as it stands, and these data or that many zeros. */
function file(header: string | Uint8Array | object, data: number | ArrayLike<number> = 0): Uint8Array {
  const text =
    header instanceof Uint8Array
      ? header
      : new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header))
  const bytes = typeof data === 'number' ? new Uint8Array(data) : Uint8Array.from(data)
  const all = new Uint8Array(8 + text.length + bytes.length)
  new DataView(all.buffer).setBigUint64(0, BigInt(text.length), true)
  all.set(text, 8)
  all.set(bytes, 8 + text.length)
  return all
}

const entry = (dtype: string, shape: unknown, begin: number, end: number) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
})

const headerOf = (bytes: Uint8Array): string =>
  new TextDecoder().decode(
    bytes.subarray(8, 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true))),
  )

/** Type, shape and bits of arrays, which toEqual compares without taking -0 for 0 or one NaN for another. */
const bits = (arrays: Arrays) =>
  Object.entries(arrays)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { shape, data }]) => ({
      name,
      type: data.constructor.name,
      shape: [...shape],
      bytes: [...new Uint8Array(data.buffer, data.byteOffset, data.byteLength)],
    }))

/** A file that has something of everything, small enough to damage it everywhere. */
const small = (): Uint8Array =>
  writeSafetensors(
    {
      w: { shape: [2, 2], data: Float32Array.of(1, -2, Number.NaN, 0.5) },
      é: { shape: [], data: Int32Array.of(-7) },
      none: { shape: [0, 3], data: new Float32Array(0) },
      raw: { shape: [3], data: Uint8Array.of(1, 2, 255) },
    },
    { k: 'v', 'a b': '"\\' },
  )

describe('writeSafetensors and readSafetensors', () => {
  test.each<[string, NDArray]>([
    ['F32', { shape: [2, 3], data: Float32Array.of(1.5, -0, Number.NaN, Infinity, 1e-45, -3.4e38) }],
    ['I32', { shape: [3], data: Int32Array.of(0, 2 ** 31 - 1, -(2 ** 31)) }],
    ['U8', { shape: [3, 1], data: Uint8Array.of(0, 128, 255) }],
    ['rank 0', { shape: [], data: Float32Array.of(3) }],
    ['size 0', { shape: [0], data: new Int32Array(0) }],
    ['size 0 of rank 3', { shape: [2, 0, 4], data: new Uint8Array(0) }],
    ['part of a larger buffer', { shape: [2], data: Float32Array.of(1, 2, 3, 4).subarray(1, 3) }],
  ])('keep type, shape and bits: %s', (_, x) => {
    expect(bits(readSafetensors(writeSafetensors({ x })).tensors)).toEqual(bits({ x }))
  })

  test('keep a file of no tensors', () => {
    expect(readSafetensors(writeSafetensors({}))).toEqual({ tensors: {}, metadata: {} })
  })

  test.each([
    '',
    ' ',
    '0.weight',
    '10',
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    '"\\/\n\u0000\u2028',
  ])('keep the name %j', (name) => {
    const tensors: Arrays = Object.fromEntries([[name, { shape: [1], data: Float32Array.of(7) }]])
    const read = readSafetensors(writeSafetensors(tensors)).tensors
    expect(Object.keys(read)).toEqual([name])
    expect(bits(read)).toEqual(bits(tensors))
    // Nothing but the names of the file is found in it.
    for (const other of ['__proto__', 'constructor', 'toString'])
      if (other !== name) expect(read[other]).toBe(undefined)
    expect(({} as Arrays).data).toBe(undefined)
  })

  test.each(['é', 'e\u0301', '中文', '😀', '\uffee', '\ufeffx'])('keep the unicode name %s as it is', (name) => {
    const read = readSafetensors(
      writeSafetensors({ [name]: { shape: [], data: Float32Array.of(1) } }, { [name]: name }),
    )
    expect(Object.keys(read.tensors)).toEqual([name])
    expect(read.metadata).toEqual({ [name]: name })
  })

  test('keep metadata, with any text and the name __proto__', () => {
    const metadata = Object.fromEntries([
      ['format', 'pt'],
      ['', ''],
      ['__proto__', 'safe'],
      ['json', '{"a":"b","a":[]}'],
      ['text', '"\\\n\u0000\u2028é😀'],
    ])
    const read = readSafetensors(writeSafetensors({}, metadata)).metadata
    expect(Object.entries(read)).toEqual(Object.entries(metadata))
  })

  test('keep random dictionaries', () => {
    const name = fc
      .oneof(fc.string({ unit: 'binary' }), fc.constantFrom('__proto__', 'constructor', '', '0', '-1'))
      .filter((text) => text !== '__metadata__')
    const size = (shape: number[]) => shape.reduce((a, b) => a * b, 1)
    const value = fc.array(fc.nat(4), { maxLength: 4 }).chain((shape) => {
      const length = { minLength: size(shape), maxLength: size(shape) }
      return fc.record({
        shape: fc.constant(shape),
        data: fc.oneof(fc.float32Array(length), fc.int32Array(length), fc.uint8Array(length)),
      })
    })
    const tensors = fc.uniqueArray(fc.tuple(name, value), { selector: ([key]) => key, maxLength: 8 })
    const metadata = fc.uniqueArray(fc.tuple(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' })), {
      selector: ([key]) => key,
      maxLength: 4,
    })
    fc.assert(
      fc.property(tensors, metadata, (entries, pairs) => {
        const given = Object.fromEntries(entries)
        const read = readSafetensors(writeSafetensors(given, Object.fromEntries(pairs)))
        expect(bits(read.tensors)).toEqual(bits(given))
        expect(Object.entries(read.metadata).sort()).toEqual(Object.entries(Object.fromEntries(pairs)).sort())
      }),
      { numRuns: runs(60, 300) },
    )
  })

  test('give the same bytes for the same tensors in any order', () => {
    const tensors = readSafetensors(small()).tensors
    const turned = Object.fromEntries(Object.entries(tensors).reverse())
    expect(writeSafetensors(turned)).toEqual(writeSafetensors(tensors))
  })

  test('align the data to 8 bytes, whatever the length of the header', () => {
    for (let length = 0; length < 16; length++) {
      const bytes = writeSafetensors({ ['x'.repeat(length)]: { shape: [1], data: Float32Array.of(1) } })
      expect(headerOf(bytes).length % 8).toBe(0)
      expect(headerOf(bytes)).toMatch(/^\{.*\} *$/)
      expect(bytes.length).toBe(8 + headerOf(bytes).length + 4)
    }
  })

  test('read bytes that start anywhere in a buffer, an ArrayBuffer, and a Buffer of Node', () => {
    const given = small()
    const expected = bits(readSafetensors(given).tensors)
    for (let offset = 1; offset < 8; offset++) {
      const shifted = new Uint8Array(given.length + 16).fill(0xee)
      shifted.set(given, offset)
      expect(bits(readSafetensors(shifted.subarray(offset, offset + given.length)).tensors)).toEqual(expected)
    }
    expect(bits(readSafetensors(given.slice().buffer).tensors)).toEqual(expected)
    expect(bits(readSafetensors(Buffer.from(given)).tensors)).toEqual(expected)
  })

  test('read copies: the file may be overwritten afterwards', () => {
    const given = small()
    const read = readSafetensors(given)
    const before = bits(read.tensors)
    given.fill(0)
    expect(bits(read.tensors)).toEqual(before)
  })
})

describe('files of the safetensors library', () => {
  beforeAll(() => init())
  const read = (name: string) => readSafetensors(new Uint8Array(fixture(name)))

  test('as fs.readFile gives them, read like their bytes', () => {
    expect(bits(readSafetensors(fixture('model')).tensors)).toEqual(bits(read('model').tensors))
  })

  test('of all our types', () => {
    const { tensors, metadata } = read('types')
    expect(bits(tensors)).toEqual(
      bits({
        'a.i32': { shape: [2, 3], data: Int32Array.of(1, -2, 3, 2 ** 31 - 1, -(2 ** 31), 0) },
        'b.f32': { shape: [4], data: Float32Array.of(1.5, -0, 3.4e38, 1e-45) },
        'c.u8': { shape: [3], data: Uint8Array.of(0, 1, 255) },
      }),
    )
    expect(metadata).toEqual({ 'made by': 'safetensors 0.8.0, "quoted", é中😀' })
  })

  test('of all kinds of shapes', () => {
    expect(bits(read('shapes').tensors)).toEqual(
      bits({
        none: { shape: [], data: Float32Array.of(7) },
        one: { shape: [1], data: Float32Array.of(1) },
        empty: { shape: [0], data: new Float32Array(0) },
        'empty.3d': { shape: [2, 0, 3], data: new Float32Array(0) },
      }),
    )
  })

  test('with difficult names', () => {
    const names = ['', ' ', '10', '2', '__proto__', 'constructor', 'a"b\\c/d', 'line\n\ttab\0\x1f\x7f', '\u2028']
    names.push('é', 'e\u0301', '中文', '\uffee', '😀')
    const { tensors } = read('names')
    expect(bits(tensors)).toEqual(
      bits(Object.fromEntries(names.map((name, i) => [name, { shape: [1], data: Float32Array.of(i) }]))),
    )
  })

  test('of F16, BF16, F64 and I64, which become f32 and i32', () => {
    const { tensors } = read('wide')
    const f16 = [0, -0, 2 ** -24, -1023 * 2 ** -24, 2 ** -14, 1, -(1 + 2 ** -10), 65504]
    f16.push(Infinity, -Infinity, Number.NaN, 1365 / 4096)
    const bf16 = [0, -0, 2 ** -133, 1, -3.140625, 255 * 2 ** 120, Infinity, -Infinity, Number.NaN]
    expect(tensors).toEqual({
      f16: { shape: [12], data: Float32Array.from(f16) },
      bf16: { shape: [9], data: Float32Array.from(bf16) },
      // Rounded to the nearest f32, ties to even.
      f64: { shape: [5], data: Float32Array.of(0.1, -Infinity, 0, 1, 1 + 2 ** -23) },
      i64: { shape: [4], data: Int32Array.of(0, -1, 2 ** 31 - 1, -(2 ** 31)) },
    })
  })

  // The library puts larger types first, in an order of types (F32, I32, U8), then names by their code points.
  test.each(['model', 'types', 'shapes', 'names'])('are what writeSafetensors gives, byte for byte: %s', (name) => {
    const { tensors, metadata } = read(name)
    const written = writeSafetensors(tensors, metadata)
    expect(headerOf(written)).toBe(headerOf(new Uint8Array(fixture(name))))
    expect(written).toEqual(new Uint8Array(fixture(name)))
  })

  test('go into a model and come out again, byte for byte', () => {
    const model = new nn.Sequential(
      new nn.Linear(20, 32),
      new nn.ReLU(),
      new nn.Linear(32, 16),
      new nn.ReLU(),
      new nn.Linear(16, 5),
    )
    const { tensors, metadata } = read('model')
    model.loadStateDict(tensors)
    expect(writeSafetensors(model.stateDict(), metadata)).toEqual(new Uint8Array(fixture('model')))
  })
})

describe('readSafetensors widens', () => {
  /** All patterns of 16 bits. */
  const patterns = new Uint8Array(Uint16Array.from({ length: 65536 }, (_, i) => i).buffer)
  const widen = (dtype: string): Uint32Array => {
    const { data } = array(readSafetensors(file({ x: entry(dtype, [65536], 0, 131072) }, patterns)).tensors, 'x')
    expect(data).toBeInstanceOf(Float32Array)
    return new Uint32Array(data.buffer, data.byteOffset, data.length)
  }

  test('every BF16: its bits are the upper half of an f32', () => {
    const found = widen('BF16')
    expect(found.findIndex((word, i) => word !== i * 65536)).toBe(-1)
  })

  test('every F16: sign, exponent and fraction move to their places in an f32', () => {
    const found = widen('F16')
    const expected = (half: number): number => {
      const sign = (half >>> 15) * 2 ** 31
      const exponent = (half >>> 10) & 31
      const fraction = half & 1023
      if (exponent === 31) return sign + 0x7f800000 + fraction * 8192
      if (exponent > 0) return sign + (exponent + 112) * 2 ** 23 + fraction * 8192
      if (fraction === 0) return sign
      // Subnormal: the highest bit of the fraction becomes the implicit one.
      const high = 31 - Math.clz32(fraction)
      return sign + (high + 103) * 2 ** 23 + (fraction - 2 ** high) * 2 ** (23 - high)
    }
    const isNaN = (word: number) => (word & 0x7fffffff) > 0x7f800000
    const wrong = found.findIndex((word, i) => {
      const right = expected(i)
      return isNaN(right) ? !isNaN(word) : word !== right
    })
    expect(wrong).toBe(-1)
  })

  test.each([2n ** 31n, -(2n ** 31n) - 1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 32n])(
    'no I64 that does not fit in i32: %s',
    (value) => {
      const data = new Uint8Array(BigInt64Array.of(1n, value).buffer)
      const read = () => readSafetensors(file({ steps: entry('I64', [2], 0, 16) }, data))
      expect(read).toThrow(/^readSafetensors: steps .*expected/)
      expect(read).toThrow(String(value))
    },
  )
})

describe('readSafetensors refuses', () => {
  const one = entry('U8', [1], 0, 1)

  test.each<[string, Uint8Array, RegExp]>([
    // The frame.
    ['an empty file', new Uint8Array(0), /0 bytes, expected at least 8/],
    ['a header of no bytes', file(''), /\{/],
    ['a header longer than the file', file({}).fill(3, 0, 1), /header of 3 bytes, expected at most 2/],
    ['a header of 2^63 bytes', file({}).fill(0x80, 7, 8), /header of 9223372036854775810 bytes, expected at most 2/],
    ['a header of 2^64 - 1 bytes', file({}).fill(0xff, 0, 8), /header of 18446744073709551615 bytes/],
    ['a header that starts with a space', file(` ${JSON.stringify({ a: one })}`, 1), /\{/],
    ['a header with a byte order mark', file('\ufeff{}'), /\{/],
    ['a header that is not UTF-8', file(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d)), /UTF-8/],
    ['a header that is no JSON', file("{'a':1}"), /not JSON/],
    ['a header cut off', file('{"a":'), /not JSON/],
    ['a header padded with zeros', file('{}\0\0'), /not JSON/],
    ['two headers', file('{}{}'), /not JSON/],
    // Names.
    ['a name twice', file(`{"a":${JSON.stringify(one)},"a":${JSON.stringify(one)}}`, 1), /names "a" twice/],
    [
      'a name twice, once escaped',
      file(`{"a":${JSON.stringify(one)},"\\u0061":${JSON.stringify(one)}}`, 1),
      /"a" twice/,
    ],
    [
      'a name twice, far from its colon',
      file(`{"a"${' '.repeat(100)}:${JSON.stringify(one)},"a"\n:${JSON.stringify(one)}}`, 1),
      /"a" twice/,
    ],
    ['the name __proto__ twice', file(`{"__proto__":${JSON.stringify(one)},"__proto__":{}}`, 1), /"__proto__" twice/],
    ['metadata twice', file('{"__metadata__":{},"__metadata__":{}}'), /"__metadata__" twice/],
    ['a name of the metadata twice', file('{"__metadata__":{"a":"","a":""}}'), /"a" twice/],
    ['a field twice', file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,1],"dtype":"U8"}}', 1), /"dtype" twice/],
    // Metadata.
    ['metadata that are a list', file({ __metadata__: ['a'] }), /__metadata__/],
    ['metadata that are a string', file({ __metadata__: 'a' }), /__metadata__/],
    ['metadata that are null', file({ __metadata__: null }), /__metadata__/],
    ['metadata that are no strings', file({ __metadata__: { epoch: 3 } }), /__metadata__/],
    // Entries.
    ['an entry that is null', file({ a: null }), /a has dtype undefined, expected/],
    ['an entry that is a list', file({ a: [] }), /a has dtype undefined, expected/],
    ['no dtype', file({ a: { shape: [1], data_offsets: [0, 1] } }, 1), /a has dtype undefined, expected .*F32/],
    ['an unknown dtype', file({ a: entry('F8_E4M3', [1], 0, 8) }, 8), /a has dtype "F8_E4M3", expected .*F32/],
    ['a dtype in small letters', file({ a: entry('f32', [1], 0, 4) }, 4), /a has dtype "f32", expected .*F32/],
    ['a dtype that objects inherit', file({ a: entry('constructor', [1], 0, 4) }, 4), /a has dtype "constructor"/],
    ['the dtype __proto__', file({ a: entry('__proto__', [1], 0, 4) }, 4), /a has dtype "__proto__"/],
    ['no shape', file({ a: { dtype: 'U8', data_offsets: [0, 1] } }, 1), /a has shape undefined, expected/],
    ['a shape that is a number', file({ a: entry('U8', 1, 0, 1) }, 1), /a has shape 1, expected/],
    ['a negative size', file({ a: entry('U8', [-1, -1], 0, 1) }, 1), /a has shape \[-1,-1\], expected/],
    ['a broken size', file({ a: entry('U8', [0.5, 2], 0, 1) }, 1), /a has shape \[0.5,2\], expected/],
    ['a size that is a string', file({ a: entry('U8', ['1'], 0, 1) }, 1), /a has shape \["1"\], expected/],
    ['a size that is null', file({ a: entry('U8', [null], 0, 0) }), /a has shape \[null\], expected/],
    ['a size of 2^53', file({ a: entry('U8', [2 ** 53, 0], 0, 0) }), /a has shape .*expected/],
    ['a size of 1e999', file('{"a":{"dtype":"U8","shape":[1e999],"data_offsets":[0,0]}}'), /a has shape .*expected/],
    ['no offsets', file({ a: { dtype: 'U8', shape: [1] } }, 1), /a has data_offsets undefined, expected/],
    ['three offsets', file({ a: { ...one, data_offsets: [0, 1, 1] } }, 1), /a has data_offsets \[0,1,1\], expected/],
    ['a broken offset', file({ a: { ...one, data_offsets: [0, 1.5] } }, 1), /a has data_offsets .*expected/],
    ['a negative offset', file({ a: { ...one, data_offsets: [-1, 0] } }, 1), /a has data_offsets .*expected/],
    ['an offset beyond 2^53', file({ a: { ...one, data_offsets: [2 ** 53, 2 ** 53 + 2] } }, 1), /a has data_offsets/],
    ['an end before the beginning', file({ a: entry('U8', [1], 1, 0) }, 1), /a has -1 bytes, expected 1/],
    ['an unknown field', file({ a: { ...one, strides: [1] } }, 1), /a has .*strides/],
    // Sizes.
    ['too few bytes for a shape', file({ a: entry('F32', [2], 0, 7) }, 7), /a has 7 bytes, expected 8 for F32 \[2\]/],
    ['too many bytes for a shape', file({ a: entry('F32', [2], 0, 9) }, 9), /a has 9 bytes, expected 8 for F32 \[2\]/],
    ['bytes for a shape of none', file({ a: entry('F32', [2, 0], 0, 4) }, 4), /a has 4 bytes, expected 0/],
    ['no bytes for rank 0', file({ a: entry('F32', [], 0, 0) }), /a has 0 bytes, expected 4/],
    ['a shape whose size is 2^64', file({ a: entry('U8', [2 ** 32, 2 ** 32], 0, 0) }), /a has .*expected/],
    ['a shape of 2^62 F32, 2^64 bytes', file({ a: entry('F32', [2 ** 31, 2 ** 31], 0, 0) }), /a has .*expected/],
    ['a size beyond all numbers', file({ a: entry('U8', Array(40).fill(2 ** 50), 0, 0) }), /a has .*expected/],
    ['the same, times 0', file({ a: entry('U8', [...Array(40).fill(2 ** 50), 0], 0, 0) }), /a has .*expected/],
    // The library refuses this one too: it multiplies from the left.
    ['a shape that overflows before its 0', file({ a: entry('U8', [2 ** 50, 2 ** 50, 0], 0, 0) }), /a has .*expected/],
    // Places.
    ['a hole at the start', file({ a: entry('U8', [1], 1, 2) }, 2), /a starts at byte 1 .*expected 0.*hole/],
    [
      'a hole between tensors',
      file({ a: one, b: entry('U8', [1], 2, 3) }, 3),
      /b starts at byte 2 of the data, expected 1.*hole/,
    ],
    [
      'tensors that overlap',
      file({ a: entry('U8', [2], 0, 2), b: entry('U8', [2], 1, 3) }, 3),
      /b starts at byte 1.*overlap/,
    ],
    ['two tensors of the same bytes', file({ a: one, b: one }, 1), /starts at byte 0 .*expected 1.*overlap/],
    ['a tensor inside another', file({ a: entry('U8', [4], 0, 4), b: entry('U8', [1], 1, 2) }, 4), /b .*overlap/],
    [
      'an empty tensor inside another',
      file({ a: entry('U8', [4], 0, 4), b: entry('U8', [0], 2, 2) }, 4),
      /b .*overlap/,
    ],
    ['an empty tensor past the end', file({ a: one, b: entry('U8', [0], 3, 3) }, 1), /b .*hole/],
    ['data cut off', file({ a: entry('U8', [4], 0, 4) }, 3), /4 bytes.* 3 /],
    ['bytes after the data', file({ a: one }, 2), /1 bytes.* 2 /],
    ['data of no tensor', file({}, 1), /0 bytes.* 1 /],
  ])('%s', (_, bytes, message) => {
    expect(() => readSafetensors(bytes)).toThrow(message)
    expect(() => readSafetensors(bytes)).toThrow(/^readSafetensors: /)
  })

  test.each<[string, unknown]>([
    ['a string', 'model.safetensors'],
    ['nothing', undefined],
    ['a promise', Promise.resolve(new Uint8Array(10))],
    ['a list', [0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['a Response', new Response('{}')],
  ])('%s in place of bytes, and says what it got', (_, given) => {
    expect(() => readSafetensors(given as Uint8Array)).toThrow(/^readSafetensors: file is .*, expected/)
  })

  test('a file cut off anywhere, or continued', () => {
    const whole = small()
    expect(() => readSafetensors(whole)).not.toThrow()
    for (let length = 0; length < whole.length; length++)
      expect(() => readSafetensors(whole.slice(0, length)), `first ${length} bytes`).toThrow(/^readSafetensors: /)
    for (let more = 1; more <= 9; more++) {
      const longer = new Uint8Array(whole.length + more)
      longer.set(whole)
      expect(() => readSafetensors(longer), `${more} bytes more`).toThrow(/^readSafetensors: /)
    }
  })

  test('with an Error of its own, if at all, a file with any one byte changed', () => {
    const whole = small()
    let refused = 0
    for (let at = 0; at < whole.length; at++) {
      for (const value of [0, 0x20, 0x22, 0x2c, 0x30, 0x39, 0x5b, 0x5d, 0x7b, 0x7d, 0x80, 0xff]) {
        const damaged = whole.slice()
        damaged[at] = value
        try {
          const { tensors } = readSafetensors(damaged)
          for (const { shape, data } of Object.values(tensors))
            expect(shape.reduce((a, b) => a * b, 1)).toBe(data.length)
        } catch (error) {
          refused++
          expect((error as Error).message, `byte ${at} = ${value}`).toMatch(/^readSafetensors: /)
        }
      }
    }
    expect(refused).toBeGreaterThan(whole.length)
  })

  test('a header of more than 100 000 000 bytes, and not one byte earlier', () => {
    const limit = 100_000_000
    const bytes = new Uint8Array(8 + limit + 8).fill(0x20)
    bytes.set([0x7b, 0x7d], 8)
    const read = (length: number) => {
      new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true)
      return readSafetensors(bytes.subarray(0, 8 + length))
    }
    expect(read(limit)).toEqual({ tensors: {}, metadata: {} })
    expect(() => read(limit + 1)).toThrow(/^readSafetensors: .*header of 100000001 bytes, expected at most 100000000/)
  })

  test('values nested without end, with an Error of its own', () => {
    const deep = '['.repeat(1e6) + ']'.repeat(1e6)
    for (const header of [`{"a":${deep}}`, `{"a":{"dtype":${deep}}}`, `{"a":${'['.repeat(1e6)}`])
      expect(() => readSafetensors(file(header))).toThrow(/^readSafetensors: /)
  })
})

describe('readSafetensors accepts', () => {
  test('equal names in different objects, and braces, quotes and colons inside of names and texts', () => {
    const metadata = { a: 'a', b: 'a', dtype: '"a":', '{"a":1,"a":2}': '}{][' }
    const { tensors, metadata: read } = readSafetensors(
      file(
        {
          __metadata__: metadata,
          a: entry('U8', [1], 0, 1),
          dtype: entry('U8', [1], 1, 2),
          '\\"': entry('U8', [0], 2, 2),
        },
        2,
      ),
    )
    expect(Object.keys(tensors)).toEqual(['a', 'dtype', '\\"'])
    expect(read).toEqual(metadata)
  })

  test('tensors in any order, with empty ones at any border', () => {
    const { tensors } = readSafetensors(
      file(
        {
          last: entry('U8', [1], 2, 3),
          end: entry('F32', [0], 3, 3),
          first: entry('U8', [2], 0, 2),
          middle: entry('I32', [0], 2, 2),
          start: entry('F64', [3, 0], 0, 0),
        },
        [1, 2, 3],
      ),
    )
    expect(array(tensors, 'first').data).toEqual(Uint8Array.of(1, 2))
    expect(array(tensors, 'last').data).toEqual(Uint8Array.of(3))
    expect(array(tensors, 'start')).toEqual({ shape: [3, 0], data: new Float32Array(0) })
  })

  test('white space around everything, and a header of any length', () => {
    const { tensors } = readSafetensors(
      file('{ \n\t"a" : {"dtype" :"I32", "shape": [ ] , "data_offsets" :[0 ,4]} }\r\n ', [1, 0, 0, 0]),
    )
    expect(array(tensors, 'a')).toEqual({ shape: [], data: Int32Array.of(1) })
  })

  test('a text of 20 million characters in the metadata', () => {
    const text = 'x'.repeat(2e7)
    expect(readSafetensors(writeSafetensors({}, { text })).metadata.text).toBe(text)
  })
})

describe('writeSafetensors refuses', () => {
  beforeAll(() => init())
  const data = Float32Array.of(1, 2)

  test.each<[string, NDArray, RegExp]>([
    ['too few elements', { shape: [3], data }, /^writeSafetensors: w has 2 elements, expected 3 for shape \[3\]/],
    ['too many elements', { shape: [], data }, /^writeSafetensors: w has 2 elements, expected 1 for shape \[\]/],
    ['negative sizes', { shape: [-1, -2], data }, /^writeSafetensors: .*w.*\[-1, -2\].*expected/],
    ['broken sizes', { shape: [0.5, 4], data }, /^writeSafetensors: .*w.*\[0\.5, 4\].*expected/],
    ['a plain list of data', { shape: [2], data: [1, 2] as never }, /^writeSafetensors: .*w.*expected/],
    ['no array', [1, 2] as never, /^writeSafetensors: .*w.*expected/],
    ['null', null as never, /^writeSafetensors: .*w.*expected/],
  ])('%s', (_, w, message) => {
    expect(() => writeSafetensors({ w })).toThrow(message)
  })

  test('a Tensor, and does not speak of its elements', () => {
    const write = () => writeSafetensors({ w: tensor([1, 2]) as never })
    expect(write).toThrow(/^writeSafetensors: .*w.*expected/)
    expect(write).not.toThrow(/0 elements/)
  })

  test('a tensor named __metadata__', () => {
    expect(() => writeSafetensors({ __metadata__: { shape: [2], data } })).toThrow(/^writeSafetensors: .*__metadata__/)
  })

  test('metadata that are no strings', () => {
    expect(() => writeSafetensors({}, { epoch: 3 } as never)).toThrow(
      /^writeSafetensors: metadata epoch is 3, expected a string/,
    )
  })
})

test('writeSafetensors keeps typed arrays of all kinds, and stores f32 as bf16 or f16 where asked', () => {
  const arrays = [Float64Array, Float32Array, Int16Array, Uint16Array, Int8Array, Uint32Array].map((Type) =>
    Type.of(0, 1, 2),
  )
  const tensors = Object.fromEntries(arrays.map((data) => [data.constructor.name, { shape: [3], data }]))
  const names = (file: Uint8Array) => [...headerOf(file).matchAll(/"dtype":"(\w+)"/g)].map(([, dtype]) => dtype)
  expect(names(writeSafetensors(tensors))).toEqual(['F64', 'F32', 'U32', 'U16', 'I16', 'I8'])
  expect(names(writeSafetensors(tensors, {}, { dtype: 'bf16' }))).toEqual(['F64', 'U32', 'BF16', 'U16', 'I16', 'I8'])
  for (const { data } of Object.values(readSafetensors(writeSafetensors(tensors)).tensors))
    expect([...data]).toEqual([0, 1, 2])
  const w = { shape: [4], data: Float32Array.of(1 + 1 / 256, 1 + 3 / 256, -0, Number.NaN) }
  const brain = readSafetensors(writeSafetensors({ w }, {}, { dtype: 'bf16' })).tensors.w
  // Seven bits after the point, ties to even.
  expect(brain?.data).toEqual(Float32Array.of(1, 1 + 4 / 256, -0, Number.NaN))
  expect(() => writeSafetensors({ w: { shape: [1], data: Float32Array.of(1e5) } }, {}, { dtype: 'f16' })).toThrow(
    'writeSafetensors: w holds 100000 at 0, expected a number that f16 can hold',
  )
})

test('a tensor that cannot be read costs itself alone, where it is left out', () => {
  const bytes = file({ odd: entry('F8_E4M3', [2], 0, 2), w: entry('U8', [3], 2, 5) }, [9, 9, 1, 2, 3])
  expect(() => readSafetensors(bytes)).toThrow('readSafetensors: odd has dtype "F8_E4M3", expected one of F64, F32')
  const w = { shape: [3], data: Uint8Array.of(1, 2, 3) }
  expect({ ...readSafetensors(bytes, { skip: ['odd'] }).tensors }).toEqual({ w })
  expect({ ...readSafetensors(bytes, { only: ['w'] }).tensors }).toEqual({ w })
  expect(() => readSafetensors(bytes, { only: ['v'] })).toThrow(
    "readSafetensors: only names 'v', which the file has not",
  )
  expect(() => readSafetensors(bytes, { only: 'w' as never })).toThrow("only is 'w', expected a list of names")
})

test('Errors repeat no more than a line of a file', () => {
  const long = 'x'.repeat(1e5)
  for (const bytes of [
    file({ [long]: entry('F8', [1], 0, 1) }, 1),
    file({ [long]: entry('U8', [1], 0, 2) }, 2),
    file({ w: entry(long, [1], 0, 1) }, 1),
    file({ w: { ...entry('U8', [1], 0, 1), [long]: 1 } }, 1),
    file({ w: entry('U8', Array(1e4).fill(1), 0, 2) }, 2),
    file(`{"${long}":1,"${long}":2}`),
  ])
    expect(() => readSafetensors(bytes)).toThrow(/^readSafetensors: .{1,400}$/)
})
