import { written } from '../checks.ts'

/** Where data comes from: the same in Node and in a page. */
export type Source = Uint8Array | ArrayBuffer | Blob | Response

/** A file's bytes in memory as a plain view, also of Node's Buffer, whose methods differ. */
export function plain(caller: string, file: unknown): Uint8Array {
  const tag = Object.prototype.toString.call(file).slice(8, -1)
  if (ArrayBuffer.isView(file) && tag === 'Uint8Array')
    return new Uint8Array(file.buffer, file.byteOffset, file.byteLength)
  if (tag === 'ArrayBuffer') return new Uint8Array(file as ArrayBuffer)
  throw new TypeError(`${caller}: file is ${written(file)}, expected a Uint8Array or an ArrayBuffer`)
}

/** All bytes of a source; gzipped ones are inflated. */
export async function bytesFrom(caller: string, source: Source): Promise<Uint8Array> {
  const bytes = await plainBytes(caller, source)
  if (!(bytes[0] === 0x1f && bytes[1] === 0x8b)) return bytes
  try {
    const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new DecompressionStream('gzip'))
    return new Uint8Array(await new Response(stream).arrayBuffer())
  } catch (cause) {
    throw new Error(`${caller}: the gzipped data of ${bytes.length} bytes does not inflate; it is cut off or damaged`, {
      cause,
    })
  }
}

async function plainBytes(caller: string, source: Source): Promise<Uint8Array> {
  if (source instanceof Uint8Array || source instanceof ArrayBuffer) return plain(caller, source)
  if (source instanceof Response) {
    if (!source.ok)
      throw new Error(
        `${caller}: the response for ${source.url || 'the data'} has status ${source.status} ${source.statusText}, expected 200`,
      )
    return new Uint8Array(await source.arrayBuffer())
  }
  if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer())
  throw new TypeError(
    `${caller}: source is ${source === null ? 'null' : typeof source}, expected bytes, a Blob or a Response`,
  )
}
