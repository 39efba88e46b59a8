// onnxruntime-web: products only, it does not train. Both factors are inputs of the model, copied into wasm at
// each run, and the product is copied out: the library has no other way with its wasm backend.

import * as ort from 'onnxruntime-web'
import { factors } from '../cases.mjs'
import { serve, versionOf } from './serve.mjs'

ort.env.wasm.numThreads = 1

const bytes = (field, content) => [(field << 3) | 2, ...varint(content.length), ...content]
const text = (field, value) => bytes(field, new TextEncoder().encode(value))
const int = (field, value) => [field << 3, ...varint(value)]

function varint(value) {
  const out = []
  for (; value > 127; value >>>= 7) out.push((value & 127) | 128)
  return [...out, value]
}

/** A model of one node, c = a b, all [n, n]: ModelProto of onnx.proto, field by field. */
function matmulModel(n) {
  const dimension = bytes(1, int(1, n))
  const tensorType = [...int(1, 1), ...bytes(2, [...dimension, ...dimension])] // FLOAT, shape
  const valueInfo = (field, name) => bytes(field, [...text(1, name), ...bytes(2, bytes(1, tensorType))])
  const node = [...text(1, 'a'), ...text(1, 'b'), ...text(2, 'c'), ...text(4, 'MatMul')]
  const graph = [
    ...bytes(1, node),
    ...text(2, 'product'),
    ...valueInfo(11, 'a'),
    ...valueInfo(11, 'b'),
    ...valueInfo(12, 'c'),
  ]
  return Uint8Array.from([...int(1, 8), ...bytes(7, graph), ...bytes(8, int(2, 13))]) // ir_version 8, opset 13
}

serve(versionOf('node_modules/onnxruntime-web'), {
  async gemm(entry) {
    const { n } = entry
    const session = await ort.InferenceSession.create(matmulModel(n), { executionProviders: ['wasm'] })
    const [a, b] = factors(entry).map((data) => new ort.Tensor('float32', data, [n, n]))
    let c
    return {
      async step() {
        ;({ c } = await session.run({ a, b }))
      },
      result: () => c.data,
    }
  },
})
