// `using`, where the library of the compiler knows it: test/types.test.ts.

import { ones } from 'lanewise'

export function total(): number {
  using x = ones([2])
  return x.sum().item()
}
