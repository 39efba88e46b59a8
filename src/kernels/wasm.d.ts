declare module '*.wasm?inline' {
  const url: string
  export default url
}
declare module '*.wasm?deflated' {
  const base64: string
  export default base64
}
declare module '*.wasm' {
  const module: WebAssembly.Module
  export default module
}
declare module '*.wasm?module' {
  const module: WebAssembly.Module
  export default module
}
/** One of the files beside this, chosen by package.json's `imports`. */
declare module '#kernels' {
  export function kernels(): WebAssembly.Module | BufferSource | Promise<WebAssembly.Module | BufferSource>
  /** The core with relaxed SIMD, or where it lies: brought on demand. Throws where it is not brought along. */
  export function relaxedKernels(): URL | Promise<BufferSource>
}
