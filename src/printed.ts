/** The method that console.log calls in Node, Bun and Deno. */
export const inspect = /* @__PURE__ */ Symbol.for('nodejs.util.inspect.custom')

/** name(lr=0.1, betas=[0.9, 0.999]): an object in one line, as modules print themselves. */
export function printed(name: string, values: object): string {
  const show = (value: unknown) => (Array.isArray(value) ? `[${value.join(', ')}]` : String(value))
  const list = Object.entries(values).map(([key, value]) => `${key}=${show(value)}`)
  return `${name}(${list.join(', ')})`
}
