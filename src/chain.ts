// Puts the ops of methods.ts on Tensor, and what `using` asks for. The only file that knows of both; nothing below does.

import type { Disposes } from './disposable.ts'
import * as ops from './methods.ts'
import { Tensor } from './tensor/tensor.ts'

type Methods = {
  [Name in keyof typeof ops]: (typeof ops)[Name] extends (x: infer _, ...rest: infer Rest) => infer Result
    ? (...rest: Rest) => Result
    : never
}

declare module './tensor/tensor.ts' {
  interface Tensor extends Methods, Disposes {}
}

if (Symbol.dispose)
  Object.defineProperty(Tensor.prototype, Symbol.dispose, {
    value(this: Tensor) {
      this.dispose()
    },
  })

for (const [name, op] of Object.entries(ops)) {
  Object.defineProperty(Tensor.prototype, name, {
    configurable: true,
    writable: true,
    value(this: Tensor, ...rest: unknown[]) {
      return (op as (x: Tensor, ...rest: unknown[]) => unknown)(this, ...rest)
    },
  })
}
