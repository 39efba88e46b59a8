/** Where data comes from: the same in Node and in a page. */
export type Source = Uint8Array | ArrayBuffer | Blob | Response

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
  // A plain view, also of Node's Buffer, whose methods differ.
  if (source instanceof Uint8Array) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
  if (source instanceof ArrayBuffer) return new Uint8Array(source)
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
