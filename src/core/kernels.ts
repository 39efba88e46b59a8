import inlined from '../../build/kernels.wasm?inline'

/** The bytes of the wasm core, which travel inside the script: no second request, no path to configure. */
export function kernelBytes(): Uint8Array<ArrayBuffer> {
  const text = atob(inlined.slice(inlined.indexOf(',') + 1))
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
  return bytes
}
