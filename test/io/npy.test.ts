import { readFileSync } from 'node:fs'
import { runInNewContext } from 'node:vm'
import { crc32, deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type AnyNDArray,
  readNpy,
  readNpz,
  readSafetensors,
  type StoredDType,
  writeNpy,
  writeNpz,
} from '../../src/io/index.ts'

const fixture = (name: string) => readFileSync(new URL(`../fixtures/${name}.npz`, import.meta.url))
const range = Array.from({ length: 24 }, (_, i) => i)

/** An NPY file with this header, as it stands, and data. */
function npy(header: string, data: ArrayLike<number> = [], version = 1): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(header)
  const start = version === 1 ? 10 : 12
  const file = new Uint8Array(start + text.length + data.length)
  file.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0, text.length & 255, text.length >> 8])
  file.set(text, start)
  file.set(data, start + text.length)
  return file
}

const header = (descr: string, shape: string) => `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }`

describe('readNpy', () => {
  test.each(['reference', 'reference-compressed'])('reads what numpy writes: %s.npz', async (name) => {
    const arrays = await readNpz(fixture(name))
    const kept = { ...arrays }
    for (const [short, dtype] of Object.entries({ f8: 'f64', f4: 'f32', f2: 'f16', i8: 'i64', u8: 'u64', i4: 'i32' })) {
      for (const order of ['little', 'big', 'fortran']) {
        const array = arrays[`${order}-${short}`]!
        expect(array.dtype).toBe(dtype)
        expect(array.data).toBeInstanceOf(short.startsWith('f') ? Float32Array : Int32Array)
      }
    }
    for (const [key, { shape, data }] of Object.entries(arrays)) {
      if (!/^(little|big|fortran)-/.test(key)) continue
      expect(shape, key).toEqual([2, 3, 4])
      expect([...data], key).toEqual(range)
      delete kept[key]
    }
    expect(kept).toEqual({
      bool: { shape: [2, 3, 4], dtype: 'bool', data: Uint8Array.from(range, (i) => Number(i % 3 === 0)) },
      scalar: { shape: [], dtype: 'f32', data: Float32Array.of(2.5) },
      empty: { shape: [0, 3], dtype: 'f32', data: new Float32Array() },
      vector: {
        shape: [6],
        dtype: 'f32',
        data: Float32Array.of(1.5, -0, Number.NaN, Infinity, -Infinity, 1e-45),
      },
      halves: {
        shape: [8],
        dtype: 'f16',
        data: Float32Array.of(1.5, -0, Number.NaN, Infinity, 65504, 2 ** -24, 2 ** -14, 0.333251953125),
      },
      ünïcode: { shape: [1], dtype: 'i32', data: Int32Array.of(7) },
    })
  })

  test.each([
    ["{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }  \n", [2]],
    ['{"shape":(2,),"fortran_order":False,"descr":"<i2"}', [2]],
    ["{'descr': '<i2', 'fortran_order': True, 'shape': (1L, 2L)}", [1, 2]],
    ["{ 'fortran_order' : False , 'shape' : ( 2 , 1 , ) , 'descr' : '<i2' }", [2, 1]],
  ])('reads any form of the header: %s', (text, shape) => {
    for (const version of [1, 2, 3])
      expect(readNpy(npy(text, [1, 0, 255, 255], version))).toEqual({ shape, dtype: 'i16', data: Int32Array.of(1, -1) })
  })

  test('reads an array from the middle of a buffer, of a Buffer and of another realm', () => {
    const file = writeNpy({ shape: [2], data: Float32Array.of(1, 2) })
    const expected = { shape: [2], dtype: 'f32', data: Float32Array.of(1, 2) }
    const shifted = new Uint8Array(file.length + 3)
    shifted.set(file, 3)
    expect(readNpy(shifted.subarray(3))).toEqual(expected)
    expect(readNpy(Buffer.from(file))).toEqual(expected)
    expect(readNpy(file.buffer)).toEqual(expected)
    expect(readNpy(runInNewContext('Uint8Array.from(file)', { file }))).toEqual(expected)
  })

  test.each<[string, Uint8Array, RegExp]>([
    ['no bytes', new Uint8Array(), /^readNpy: the 0 bytes do not start as an NPY file/],
    ['another file', new TextEncoder().encode('PK\u0003\u0004 and more'), /do not start as an NPY file/],
    ['a version of tomorrow', npy(header('<f4', '()'), [0, 0, 0, 0], 4), /version 4.0, expected 1.0, 2.0 or 3.0/],
    ['objects', npy(header('|O', '(1,)'), [0]), /numpy's type "\|O", expected one of f8, f4/],
    ['texts', npy(header('<U5', '(1,)'), new Uint8Array(20)), /numpy's type "<U5"/],
    ['complex numbers', npy(header('<c8', '(1,)'), new Uint8Array(8)), /numpy's type "<c8"/],
    ['dates', npy(header('<M8[ns]', '(1,)'), new Uint8Array(8)), /numpy's type "<M8\[ns\]"/],
    ['the prototype', npy(header('<__proto__', '(1,)')), /numpy's type "<__proto__"/],
    [
      'structures',
      npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", [0, 0, 0, 0]),
      /structured type \[\('a', '<f4'\)\], expected numbers of one type/,
    ],
    [
      'a missing key',
      npy("{'descr': '<f4', 'shape': ()}", [0, 0, 0, 0]),
      /the header is "\{'descr'.*expected \{'descr'/,
    ],
    ['a key twice', npy("{'descr': '<f4', 'descr': '<i4', 'fortran_order': False, 'shape': ()}"), /the header is/],
    ['an unknown key', npy("{'descr': '<f4', 'fortran_order': False, 'shape': (), 'x': True}"), /the header is/],
    ['a number for a shape', npy(header('<f4', '(1)'), [0, 0, 0, 0]), /the header is/],
    ['code', npy("__import__('os').system('id')"), /the header is/],
    ['a huge shape', npy(header('<f4', '(4294967296, 4294967296)')), /shape \[4294967296, 4294967296\] has size/],
    ['a huge product', npy(header('|u1', '(1048576, 1048576)')), /has 1099511627776 elements/],
    [
      'too little data',
      npy(header('<f4', '(2,)'), [0, 0, 0, 0]),
      /claims f32 \[2\], \d+ bytes in all, but the file has/,
    ],
    ['too much data', npy(header('<f4', '()'), [0, 0, 0, 0, 0]), /claims f32 \[\], \d+ bytes in all, but the file has/],
    [
      'a header beyond the end',
      npy(header('<f4', '()')).subarray(0, 40),
      /the header ends at byte \d+, but the file has 40/,
    ],
    ['a long header', npy(header('<f4', '()') + ' '.repeat(20_000), [0, 0, 0, 0]), /expected at most 10000/],
    [
      'large whole numbers',
      npy(header('<i8', '(2,)'), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]),
      /holds 4294967296, expected i64 that fits in 32 bits/,
    ],
    ['large unsigned numbers', npy(header('<u4', '()'), [0, 0, 0, 128]), /holds 2147483648, expected u32 that fits/],
  ])('refuses %s', (_, file, message) => {
    expect(() => readNpy(file)).toThrow(message)
    expect(() => readNpy(file)).toThrow(/^readNpy: .{1,300}$/s)
  })

  test.each([undefined, null, 'x.npy', [1, 2], { byteLength: 3 }, new Float32Array(3)])('refuses %j', (file) => {
    expect(() => readNpy(file as never)).toThrow(/^readNpy: file is .*, expected a Uint8Array or an ArrayBuffer/)
  })

  test('takes time linear in a header that is not one', () => {
    for (const junk of ["'descr': ", '(1,', '1,', ' ', "'", '[', "{'shape': ("])
      expect(() => readNpy(npy(`{${junk.repeat(Math.floor(9000 / junk.length))}`))).toThrow(/^readNpy: the header is/)
  })
})

describe('writeNpy', () => {
  test('writes as numpy does: version 1, a header that ends at a multiple of 64', () => {
    const file = writeNpy({ shape: [2, 1], data: Float32Array.of(1, 2) })
    expect(new TextDecoder('latin1').decode(file.subarray(1, 6))).toBe('NUMPY')
    expect(new TextDecoder().decode(file.subarray(10, 128))).toBe(
      `${"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }".padEnd(117)}\n`,
    )
    expect(file.length).toBe(128 + 8)
  })

  const arrays: [StoredDType, AnyNDArray['data']][] = [
    ['f64', Float64Array.of(1 / 3, -0, 1e300, Number.NaN, Infinity)],
    ['f32', Float32Array.of(1 / 3, -0, Number.NaN)],
    ['i64', BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n)],
    ['u64', BigUint64Array.of(0n, 2n ** 64n - 1n)],
    ['i32', Int32Array.of(-(2 ** 31), 2 ** 31 - 1)],
    ['u32', Uint32Array.of(0, 2 ** 32 - 1)],
    ['i16', Int16Array.of(-32768, 32767)],
    ['u16', Uint16Array.of(0, 65535)],
    ['i8', Int8Array.of(-128, 127)],
    ['u8', Uint8Array.of(0, 255)],
    ['u8', Uint8ClampedArray.of(0, 255)],
  ]
  test.each(arrays)('keeps the bits of any typed array: %s', (dtype, data) => {
    const file = writeNpy({ shape: [data.length], data })
    const bytes = new Uint8Array(data.buffer as ArrayBuffer)
    expect(file.subarray(-bytes.length)).toEqual(bytes)
    expect(writeNpy({ shape: [data.length], data }, { dtype })).toEqual(file)
    // Of another realm, too.
    const foreign = runInNewContext(`new ${data.constructor.name}(bytes.buffer)`, { bytes: bytes.slice() })
    expect(writeNpy({ shape: [data.length], data: foreign })).toEqual(file)
  })

  test('gives back any array in any type that can hold it', () => {
    const small = fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 1, maxLength: 30 })
    fc.assert(
      fc.property(small, fc.constantFrom(...arrays.map(([dtype]) => dtype), 'f16', 'bool'), (values, dtype) => {
        const shape = [values.length]
        for (const data of [Float32Array.from(values), Int32Array.from(values), BigInt64Array.from(values, BigInt)]) {
          const { data: back, ...rest } = readNpy(writeNpy({ shape, data }, { dtype: dtype as StoredDType }))
          expect(rest).toEqual({ shape, dtype })
          expect([...back]).toEqual(values)
        }
      }),
    )
  })

  test('halves are rounded to the nearest, ties to even, over all of them and between', () => {
    const halves = Uint16Array.from({ length: 65536 }, (_, i) => i)
    const file = npy(header('<f2', '(65536,)'), new Uint8Array(halves.buffer))
    const { data } = readNpy(file)
    const again = writeNpy({ shape: [65536], data }, { dtype: 'f16' })
    const bits = new Uint16Array(again.slice(-2 * 65536).buffer)
    for (let i = 0; i < 65536; i++) {
      if (Number.isNaN(data[i])) expect(bits[i]! & 0x7fff).toBeGreaterThan(0x7c00)
      else expect(bits[i]).toBe(i)
    }
    // Half way between two positive neighbours, and a little to both sides.
    for (let i = 0; i < 0x7bff; i++) {
      const middle = (data[i]! + data[i + 1]!) / 2
      const step = (data[i + 1]! - data[i]!) * 1e-6
      const three = Float64Array.of(middle - step, middle, middle + step)
      const got = new Uint16Array(writeNpy({ shape: [3], data: three }, { dtype: 'f16' }).slice(-6).buffer)
      if (got[0] !== i || got[1] !== i + (i % 2) || got[2] !== i + 1) expect([...got]).toEqual([i, i + (i % 2), i + 1])
    }
  })

  test.each<[StoredDType, AnyNDArray['data'], string]>([
    ['i32', Float32Array.of(0, 1.5), 'array holds 1.5 at 1, expected a whole number of i32'],
    ['i32', Float32Array.of(Number.NaN), 'array holds NaN at 0, expected a whole number of i32'],
    ['i32', Float32Array.of(2 ** 31), 'array holds 2147483648 at 0, expected a whole number of i32'],
    ['u8', Int32Array.of(255, -1), 'array holds -1 at 1, expected a whole number of u8'],
    ['bool', Int32Array.of(2), 'array holds 2 at 0, expected a whole number of bool'],
    ['i64', Float64Array.of(2 ** 63), 'array holds 9223372036854776000 at 0, expected a whole number of i64'],
    ['i64', BigUint64Array.of(2n ** 63n), 'array holds 9223372036854775808 at 0, expected a whole number of i64'],
    ['u64', BigInt64Array.of(-1n), 'array holds -1 at 0, expected a whole number of u64'],
    ['f16', Float32Array.of(65519, 65520), 'array holds 65520 at 1, expected a number that f16 can hold'],
    ['f32', Float64Array.of(1e300), 'array holds 1e+300 at 0, expected a number that f32 can hold'],
    ['bf16', Float32Array.of(1), "dtype is 'bf16', which numpy has not"],
    ['complex' as never, Float32Array.of(1), "dtype is 'complex', expected one of f64, f32"],
  ])('refuses what %s cannot hold: %s', (dtype, data, message) => {
    expect(() => writeNpy({ shape: [data.length], data }, { dtype })).toThrow(`writeNpy: ${message}`)
  })

  test.each<[unknown, RegExp]>([
    [undefined, /^writeNpy: array is undefined, expected \{ data, shape \} with a typed array/],
    [[1, 2], /^writeNpy: array is \[1, 2\], expected \{ data, shape \}/],
    [{ shape: [2], data: [1, 2] }, /^writeNpy: array is Object, expected \{ data, shape \}/],
    [{ shape: [2], data: new DataView(new ArrayBuffer(2)) }, /^writeNpy: array is Object, expected \{ data, shape \}/],
    [{ shape: [3], data: Int8Array.of(1, 2) }, /^writeNpy: array has 2 elements, expected 3 for shape \[3\]/],
    [{ shape: 2, data: Int8Array.of(1, 2) }, /^writeNpy: array: shape is 2, expected an array of sizes/],
  ])('refuses %j', (array, message) => {
    expect(() => writeNpy(array as never)).toThrow(message)
  })

  test('refuses options that it has not', () => {
    expect(() => writeNpy({ shape: [], data: Int8Array.of(1) }, { type: 'f4' } as never)).toThrow(
      'writeNpy: unknown option type, expected dtype',
    )
  })
})

describe('NPZ', () => {
  const arrays = (): Record<string, AnyNDArray> => ({
    w: { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
    __proto: { shape: [1], data: Uint8Array.of(9) },
    ['__proto__']: { shape: [1], data: Uint8Array.of(7) },
    'sub/name': { shape: [], data: BigInt64Array.of(-5n) },
  })

  test.each([false, true])('gives back what was written; compress: %s', async (compress) => {
    const file = await writeNpz(arrays(), { compress })
    expect(await writeNpz(arrays(), { compress })).toEqual(file)
    const back = await readNpz(file)
    expect(Object.keys(back)).toEqual(Object.keys(arrays()))
    expect(back.w).toEqual({ shape: [2, 2], dtype: 'f32', data: Float32Array.of(1, 2, 3, 4) })
    expect(Object.getOwnPropertyDescriptor(back, '__proto__')?.value.data).toEqual(Uint8Array.of(7))
    expect(back['sub/name']).toEqual({ shape: [], dtype: 'i64', data: Int32Array.of(-5) })
  })

  test('of no arrays', async () => {
    expect(Object.keys(await readNpz(await writeNpz({})))).toEqual([])
  })

  interface Parts {
    name?: string
    localName?: string
    data?: Uint8Array
    method?: number
    packed?: Uint8Array
    size?: number
    crc?: number
    flags?: number
    claimedPacked?: number
    local?: number
  }
  /** A ZIP file of these files, as they are described; `tail` is the comment at its end. */
  function zip(files: Parts[], tail = new Uint8Array(), count = files.length): Buffer {
    const chunks: Buffer[] = []
    const records: Buffer[] = []
    let at = 0
    for (const part of files) {
      const data = part.data ?? npy(header('|u1', '(3,)'), [1, 2, 3])
      const name = Buffer.from(part.name ?? 'x.npy')
      const localName = Buffer.from(part.localName ?? part.name ?? 'x.npy')
      const packed = part.packed ?? (part.method === 8 ? deflateRawSync(data) : data)
      const head = Buffer.alloc(30)
      head.writeUInt32LE(0x04034b50, 0)
      head.writeUInt16LE(localName.length, 26)
      const record = Buffer.alloc(46)
      record.writeUInt32LE(0x02014b50, 0)
      record.writeUInt16LE(part.flags ?? 0, 8)
      record.writeUInt16LE(part.method ?? 0, 10)
      record.writeUInt32LE(part.crc ?? crc32(data), 16)
      record.writeUInt32LE(part.claimedPacked ?? packed.length, 20)
      record.writeUInt32LE(part.size ?? data.length, 24)
      record.writeUInt16LE(name.length, 28)
      record.writeUInt32LE(part.local ?? at, 42)
      chunks.push(Buffer.concat([head, localName, packed]))
      records.push(Buffer.concat([record, name]))
      at += 30 + localName.length + packed.length
    }
    const end = Buffer.alloc(22)
    const directory = Buffer.concat(records)
    end.writeUInt32LE(0x06054b50, 0)
    end.writeUInt16LE(count, 8)
    end.writeUInt16LE(count, 10)
    end.writeUInt32LE(directory.length, 12)
    end.writeUInt32LE(at, 16)
    end.writeUInt16LE(tail.length, 20)
    return Buffer.concat([...chunks, directory, end, tail])
  }

  test('reads stored and deflated files, with a comment, from bytes, Blob and Response', async () => {
    const file = zip(
      [{ name: 'a.npy' }, { name: 'b.npy', method: 8 }],
      new TextEncoder().encode('PK\u0005\u0006 a comment'),
    )
    for (const source of [file, new Blob([new Uint8Array(file)]), new Response(new Uint8Array(file))]) {
      const back = await readNpz(source)
      expect(Object.values(back)).toEqual(Array(2).fill({ shape: [3], dtype: 'u8', data: Uint8Array.of(1, 2, 3) }))
    }
  })

  const zeros = (count: number) => npy(header('|u1', `(${count},)`), new Uint8Array(count))
  test.each<[string, Uint8Array, RegExp]>([
    ['no bytes', new Uint8Array(), /the 0 bytes are no ZIP file/],
    ['an NPY file', writeNpy({ shape: [], data: Int8Array.of(1) }), /are no ZIP file, or it is cut off/],
    ['the beginning of a file', zip([{}]).subarray(0, -1), /are no ZIP file, or it is cut off/],
    [
      'a file that is no array',
      zip([{ name: 'notes.txt' }]),
      /the file holds "notes.txt", expected names that end in .npy/,
    ],
    ['a name twice', zip([{}, {}]), /names "x.npy" twice/],
    ['a wrong checksum', zip([{ crc: 1 }]), /"x.npy" does not match its size or checksum/],
    ['a wrong checksum of deflated data', zip([{ crc: 1, method: 8 }]), /"x.npy" does not match its size or checksum/],
    ['encryption', zip([{ flags: 1 }]), /"x.npy" is encrypted/],
    ['another method', zip([{ method: 12 }]), /"x.npy" is compressed by method 12, expected 0/],
    [
      'damaged data',
      zip([{ method: 8, packed: Buffer.from('not deflated at all, not at all, in no way at all') }]),
      /"x.npy" does not/,
    ],
    ['a size that cannot be', zip([{ size: 2 ** 30 }]), /claims 1073741824 bytes out of \d+, which cannot be/],
    [
      'a ratio that cannot be',
      zip([{ size: 2 ** 30, method: 8 }]),
      /claims 1073741824 bytes out of \d+, which cannot be/,
    ],
    [
      'more data than claimed',
      zip([{ method: 8, data: zeros(1e6), size: 1000 }]),
      /does not match its size or checksum/,
    ],
    [
      'less data than claimed',
      zip([{ method: 8, data: zeros(1e6), size: 1.01e6 }]),
      /does not match its size or checksum/,
    ],
    ['an overlap', zip([{ name: 'a.npy' }, { name: 'a.npy', local: 0 }]), /"a.npy" overlaps the one before it/],
    ['two names for one file', zip([{ localName: 'y.npy' }]), /is cut off or damaged/],
    ['a directory of more files', zip([{}], undefined, 2), /is cut off or damaged/],
    ['a directory of fewer files', zip([{}, { name: 'y.npy' }], undefined, 1), /is cut off or damaged/],
    ['an address beyond the end', zip([{ local: 1e6 }]), /is cut off or damaged/],
    ['data beyond the end', zip([{ claimedPacked: 1e6, size: 1e6 }]), /is cut off or damaged/],
    ['the end of a zip64 file alone', zip([], undefined, 0xffff), /is cut off or damaged/],
    [
      'a damaged array inside',
      zip([{ data: npy(header('<f4', '(9,)')) }]),
      /^readNpz: x.npy: the header claims f32 \[9\]/,
    ],
  ])('refuses %s', async (_, file, message) => {
    await expect(readNpz(file)).rejects.toThrow(message)
    await expect(readNpz(file)).rejects.toThrow(/^readNpz: .{1,300}$/s)
  })

  test('inflates no more than maxBytes', async () => {
    const file = zip([
      { name: 'a.npy', data: zeros(60_000), method: 8 },
      { name: 'b.npy', data: zeros(60_000), method: 8 },
    ])
    expect(Object.keys(await readNpz(file))).toEqual(['a', 'b'])
    await expect(readNpz(file, { maxBytes: 100_000 })).rejects.toThrow(
      /^readNpz: the files inside claim 120\d{3} bytes, expected at most maxBytes, 100000/,
    )
    await expect(readNpz(file, { maxBytes: -1 })).rejects.toThrow(
      'readNpz: maxBytes is -1, expected a whole number >= 0',
    )
  })

  test('gives an Error or all that was written, whatever byte is changed or cut', async () => {
    const file = await writeNpz({ a: { shape: [2], data: Float32Array.of(1, 2) } }, { compress: true })
    const right = JSON.stringify(await readNpz(file))
    const check = async (bytes: Uint8Array, what: string) => {
      try {
        expect(JSON.stringify(await readNpz(bytes)), what).toBe(right)
      } catch (error) {
        expect(String(error), what).toMatch(/^(RangeError|Error): readNpz: /)
      }
    }
    for (let at = 0; at < file.length; at++) {
      // Names in the directory are covered by no checksum, but stand twice.
      for (const flip of [1, 0x80, 0xff]) {
        const changed = file.slice()
        ;(changed[at] as number) ^= flip
        await check(changed, `byte ${at} ^ ${flip}`)
      }
      await check(file.subarray(0, at), `cut at ${at}`)
    }
  })
})

test('safetensors reads whole numbers of all types, and BOOL', () => {
  const file = (dtype: string, data: ArrayBufferView<ArrayBuffer>) => {
    const { byteLength } = data
    const text = JSON.stringify({ x: { dtype, shape: [2], data_offsets: [0, byteLength] } })
    const bytes = new Uint8Array(8 + text.length + byteLength)
    bytes.set([text.length])
    bytes.set(new TextEncoder().encode(text), 8)
    bytes.set(new Uint8Array(data.buffer), 8 + text.length)
    return readSafetensors(bytes).tensors.x?.data
  }
  expect(file('BOOL', Uint8Array.of(0, 1))).toEqual(Uint8Array.of(0, 1))
  expect(file('I8', Int8Array.of(-128, 127))).toEqual(Int32Array.of(-128, 127))
  expect(file('I16', Int16Array.of(-32768, 32767))).toEqual(Int32Array.of(-32768, 32767))
  expect(file('U16', Uint16Array.of(0, 65535))).toEqual(Int32Array.of(0, 65535))
  expect(file('U32', Uint32Array.of(0, 2 ** 31 - 1))).toEqual(Int32Array.of(0, 2 ** 31 - 1))
  expect(file('U64', BigUint64Array.of(0n, 2n ** 31n - 1n))).toEqual(Int32Array.of(0, 2 ** 31 - 1))
  expect(() => file('U32', Uint32Array.of(0, 2 ** 31))).toThrow(
    'readSafetensors: x holds 2147483648, expected U32 that fits in 32 bits',
  )
})
