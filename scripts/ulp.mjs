// The largest error of exp, log, tanh and sigmoid in units in the last place, over every f32 input, or every
// STRIDEth one: `npm run ulp [-- STRIDE]`. What it prints stands in assembly/math.ts.
import { compile, cos, exp, init, log, log1p, sigmoid, sin, tanh } from 'lanewise'
import { ulps } from './ulps.mjs'

const functions = {
  exp: [exp, Math.exp],
  log: [log, Math.log],
  tanh: [tanh, Math.tanh],
  log1p: [log1p, Math.log1p],
  sin: [sin, Math.sin],
  cos: [cos, Math.cos],
  sigmoid: [sigmoid, (x) => 1 / (1 + Math.exp(-x))],
}
const stride = Number(process.argv[2] ?? 1)
const BLOCK = 1 << 16

const bits = new Uint32Array(BLOCK)
const x = new Float32Array(bits.buffer)

await init()
for (const [name, [op, reference]] of Object.entries(functions)) {
  const run = compile((t) => op(t))
  let worst = { error: 0, at: 0 }
  for (let start = 0; start < 2 ** 32; start += BLOCK * stride) {
    for (let i = 0; i < BLOCK; i++) bits[i] = start + i * stride
    const y = run({ data: x, shape: [BLOCK] }).data()
    for (let i = 0; i < BLOCK; i++) {
      const error = ulps(y[i], reference(x[i]))
      if (!(error <= worst.error)) worst = { error, at: x[i], y: y[i] }
    }
  }
  console.log(`${name}: ${worst.error.toFixed(3)} ULP at ${worst.at} (got ${worst.y})`)
}
