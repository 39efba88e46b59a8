// An Array of Flower's: an NPY file in chunks. No pickle: of the types of NPY, numbers alone are read.

import { written } from '../checks.ts'
import { type AnyNDArray, type StoredDType, storedBytes, storedDTypeOf } from '../io/dtypes.ts'
import { readNpy, type StoredArray, writeNpy } from '../io/npy.ts'
import { show } from '../tensor/shape.ts'
import { FlowerError } from './errors.ts'
import {
  brief,
  contentOf,
  type FlowerObject,
  idOf,
  jsonBody,
  jsonOf,
  makeObject,
  type OutgoingObject,
} from './objects.ts'

/** numpy's names of the types that NPY files of numbers have. */
const dtypeNames: Partial<Record<StoredDType, string>> = {
  f64: 'float64',
  f32: 'float32',
  f16: 'float16',
  i64: 'int64',
  u64: 'uint64',
  i32: 'int32',
  u32: 'uint32',
  i16: 'int16',
  u16: 'uint16',
  i8: 'int8',
  u8: 'uint8',
  bool: 'bool',
}

/** An Array object that waits for its chunks. */
export interface ArrayPlan {
  /** Ids of chunks, in the order of their bytes; one may be there many times. */
  readonly chunks: readonly string[]
  /** Takes the chunks' bytes, in order. */
  add(bytes: Uint8Array): void
  /** The array, once all chunks are there. */
  finish(): StoredArray
}

/** Bytes of an NPY file before its header. */
const PREFIX = 12
const MAX_HEADER = 65_536

/** What an Array object says of itself. `name`: of the array, for Errors. */
export function planArray(name: string, id: string, object: FlowerObject, maxBytes: number): ArrayPlan {
  const fail = (what: string): never => {
    throw new FlowerError('corrupt', `array '${name}' (object ${brief(id)}) ${what}`)
  }
  const { dtype, shape, stype, arraychunk_ids: indices } = jsonOf(object, id)
  const whole = (x: unknown): x is number => Number.isSafeInteger(x) && (x as number) >= 0
  const stored = (Object.keys(dtypeNames) as StoredDType[]).find((key) => dtypeNames[key] === dtype)
  if (!stored)
    return fail(`has dtype ${JSON.stringify(dtype)}, expected one of ${Object.values(dtypeNames).join(', ')}`)
  if (stype !== 'numpy.ndarray') fail(`is stored as ${JSON.stringify(stype)}, expected numpy.ndarray`)
  if (!Array.isArray(shape) || !shape.every(whole)) return fail('has a shape that is no list of whole numbers')
  if (!Array.isArray(indices) || !indices.every((i) => whole(i) && i < object.children.length))
    return fail('has arraychunk_ids that are no list of its children')
  const size = (shape as number[]).reduce((product, n) => product * n, 1)
  const bytes = size * storedBytes[stored]
  if (!(bytes <= maxBytes))
    throw new FlowerError(
      'limit',
      `array '${name}' of ${dtype} ${show(shape)} has ${bytes} bytes, expected at most ${maxBytes}`,
    )
  let file: Uint8Array | null = null
  let at = 0
  return {
    chunks: indices.map((i) => object.children[i] as string),
    add(chunk) {
      file ??= new Uint8Array(headerEnd(chunk, fail) + bytes)
      if (chunk.length === 0 || at + chunk.length > file.length)
        fail(
          `has ${at + chunk.length} bytes or more in its chunks, expected ${file.length} for ${dtype} ${show(shape)}`,
        )
      file.set(chunk, at)
      at += chunk.length
    },
    finish() {
      if (at === 0 || at !== file?.length)
        return fail(`has ${at} bytes in its chunks, expected ${file?.length ?? 'some'} for ${dtype} ${show(shape)}`)
      const array = decoded(file, fail)
      if (array.dtype !== stored || show(array.shape) !== show(shape))
        fail(`claims ${dtype} ${show(shape)}, but its NPY file holds ${array.dtype} ${show(array.shape)}`)
      return array
    },
  }
}

function decoded(file: Uint8Array, fail: (what: string) => never): StoredArray {
  try {
    return readNpy(file)
  } catch (error) {
    return fail(`does not read: ${(error as Error).message}`)
  }
}

/** Where the data of an NPY file starts. All that follows is checked when the file is whole. */
function headerEnd(chunk: Uint8Array, fail: (what: string) => never): number {
  if (chunk.length < PREFIX) fail(`has ${chunk.length} bytes in its first chunk, expected the head of an NPY file`)
  const view = new DataView(chunk.buffer, chunk.byteOffset)
  const end = chunk[6] === 1 ? 10 + view.getUint16(8, true) : PREFIX + view.getUint32(8, true)
  return end > MAX_HEADER ? fail(`has an NPY header of ${end} bytes, expected at most ${MAX_HEADER}`) : end
}

/** The NPY file of the array asked for last: chunks are made in order, so one is enough, and none has to be kept. */
export class FileOf {
  #array: AnyNDArray | null = null
  #file = new Uint8Array()

  of(array: AnyNDArray): Uint8Array {
    if (array !== this.#array) {
      this.#file = writeNpy(array)
      this.#array = array
    }
    return this.#file
  }
}

/** The object of an array that is sent. Its bytes come of `files` whenever they are wanted. */
export async function makeArray(
  caller: string,
  name: string,
  array: AnyNDArray,
  chunkBytes: number,
  files: FileOf,
): Promise<OutgoingObject> {
  const dtype = dtypeNames[storedDTypeOf(array?.data) as StoredDType]
  if (!dtype)
    throw new TypeError(`${caller}: array '${name}' is ${written(array)}, expected { data, shape } with a typed array`)
  const { length } = files.of(array)
  const chunks: OutgoingObject[] = []
  for (let start = 0; start < length; start += chunkBytes) {
    const content = (): Uint8Array => contentOf('ArrayChunk', [], files.of(array).subarray(start, start + chunkBytes))
    chunks.push({ id: await idOf(content()), children: [], content })
  }
  const distinct = [...new Set(chunks.map(({ id }) => id))]
  const indices = chunks.map(({ id }) => distinct.indexOf(id))
  return makeObject(
    'Array',
    chunks,
    jsonBody({ dtype, shape: array.shape, stype: 'numpy.ndarray', arraychunk_ids: indices }),
  )
}
