// The allocator over linear memory. The host owns it; kernels never allocate.
//
//   0            base                                                     end
//   ├ constants ─┼ blocks, 64-byte aligned, sizes in classes ─────────┼ slack ┤
//
// Address 0 means "absent". A freed block waits in the list of its size (four size classes to a doubling,
// so at most a quarter of a block is waste); new blocks come from the end of memory. Where that would
// have to grow, free neighbours are merged first, and the smallest that serves is cut to size.
// Kernels may read up to SLACK bytes past a block, so the last one keeps that distance.

const PAGE = 65536
const ALIGN = 64
const SLACK = 64

export interface MemoryStats {
  /** Bytes in blocks that are in use. */
  used: number
  /** Bytes of linear memory. */
  reserved: number
  /** Bytes that linear memory may reach. */
  limit: number
}

/** The size of the block that holds `bytes`. */
export function blockSize(bytes: number): number {
  const aligned = Math.max(ALIGN, Math.ceil(bytes / ALIGN) * ALIGN)
  // An eighth of the power of two that holds it.
  const step = Math.max(ALIGN, 0x20000000 >>> Math.clz32(aligned - 1))
  return Math.ceil(aligned / step) * step
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 0)} MB`

export class Memory {
  u8!: Uint8Array
  i32!: Int32Array
  f32!: Float32Array
  f64!: Float64Array
  #wasm: WebAssembly.Memory
  readonly #limit: number
  readonly #free = new Map<number, number[]>()
  readonly #blocks = new Map<number, { size: number; owner: string }>()
  #end: number
  #used = 0
  /** Whether the core is no more, and nothing of this memory can be used. */
  closed = false

  /** `base`: the first byte that blocks may use. */
  constructor(wasm: WebAssembly.Memory, limit: number, base: number) {
    this.#wasm = wasm
    this.#end = Math.max(ALIGN, Math.ceil(base / ALIGN) * ALIGN)
    this.#limit = limit
    this.#makeViews()
  }

  /** The address of a new block; its bytes hold anything. `owner` names it in an out-of-memory Error. */
  allocate(bytes: number, owner: string): number {
    const size = blockSize(bytes)
    const address =
      this.#free.get(size)?.pop() ?? this.#fromEnd(size) ?? this.#fromMerged(size) ?? this.#fromGrowth(size, owner)
    this.#blocks.set(address, { size, owner })
    this.#used += size
    return address
  }

  free(address: number): void {
    const block = this.#blocks.get(address)
    if (!block) throw new Error(`Memory.free: no block starts at address ${address}`)
    this.#blocks.delete(address)
    this.#used -= block.size
    this.#putFree(address, block.size)
  }

  /** Lets go of the memory. */
  close(): void {
    this.closed = true
    this.#wasm = this.u8 = this.i32 = this.f32 = this.f64 = undefined as never
  }

  stats(): MemoryStats {
    return { used: this.#used, reserved: this.u8.length, limit: this.#limit }
  }

  #putFree(address: number, size: number): void {
    const list = this.#free.get(size)
    if (list) list.push(address)
    else this.#free.set(size, [address])
  }

  #fromEnd(size: number): number | null {
    if (this.#end + size + SLACK > this.u8.length) return null
    const address = this.#end
    this.#end += size
    return address
  }

  /** Merges free neighbours, gives those at the end back, and takes the smallest block that serves. */
  #fromMerged(size: number): number | null {
    const free = [...this.#free].flatMap(([bytes, addresses]) => addresses.map((address) => ({ address, bytes })))
    free.sort((a, b) => a.address - b.address)
    const merged: typeof free = []
    for (const block of free) {
      const before = merged.at(-1)
      if (before && before.address + before.bytes === block.address) before.bytes += block.bytes
      else merged.push(block)
    }
    const last = merged.at(-1)
    if (last && last.address + last.bytes === this.#end) {
      this.#end = last.address
      merged.pop()
    }
    merged.sort((a, b) => a.bytes - b.bytes)
    const fit = merged.findIndex(({ bytes }) => bytes >= size)
    const [block] = fit < 0 ? [] : merged.splice(fit, 1)
    this.#free.clear()
    for (const { address, bytes } of merged) this.#putFree(address, bytes)
    if (!block) return this.#fromEnd(size)
    if (block.bytes > size) this.#putFree(block.address + size, block.bytes - size)
    return block.address
  }

  #fromGrowth(size: number, owner: string): number {
    const needed = this.#end + size + SLACK
    // A quarter more than asked: growing detaches views, so it should stay rare.
    const wanted = Math.min(this.#limit, Math.max(needed, this.u8.length * 1.25))
    for (const target of needed > this.#limit ? [] : [wanted, needed]) {
      try {
        this.#wasm.grow(Math.ceil((target - this.u8.length) / PAGE))
        this.#makeViews()
        return this.#fromEnd(size) as number
      } catch {
        // The engine has less than we were promised: try the least that serves, then give up.
      }
    }
    throw new Error(this.#exhausted(size, owner))
  }

  #exhausted(size: number, owner: string): string {
    const totals = new Map<string, number>()
    for (const block of this.#blocks.values()) totals.set(block.owner, (totals.get(block.owner) ?? 0) + block.size)
    const biggest = [...totals].sort((a, b) => b[1] - a[1]).slice(0, 4)
    return (
      `${owner}: out of memory: asked for ${megabytes(size)}, in use ${megabytes(this.#used)}, ` +
      `limit ${megabytes(this.#limit)} (init's maxMemory). ` +
      `Biggest: ${biggest.map(([name, bytes]) => `${name} ${megabytes(bytes)}`).join(', ') || 'nothing'}. ` +
      'Free values with dispose() or scope(), use a smaller batch, or raise maxMemory.'
    )
  }

  #makeViews(): void {
    const buffer = this.#wasm.buffer
    this.u8 = new Uint8Array(buffer)
    this.i32 = new Int32Array(buffer)
    this.f32 = new Float32Array(buffer)
    this.f64 = new Float64Array(buffer)
  }
}
