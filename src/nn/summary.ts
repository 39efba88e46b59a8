// A model as a table: its layers, what they give, and how many parameters they learn.

import { Trace, withTrace } from '../core/engine.ts'
import { tensorsIn } from '../tensor/scope.ts'
import { show } from '../tensor/shape.ts'
import { noGrad } from '../tensor/tape.ts'
import { empty, type Tensor } from '../tensor/tensor.ts'
import type { DType } from '../tensor/types.ts'
import { Module } from './module.ts'

/** The shape of an input, and its dtype when it is not f32. */
export type InputShape = readonly number[] | { shape: readonly number[]; dtype: DType }

const isShape = (input: InputShape): input is readonly number[] => Array.isArray(input)

const sum = (parameters: readonly Tensor[]): number => parameters.reduce((n, { size }) => n + size, 0)

/** The layers of `model` as lines of text: name and kind, the shape of the output, the number of parameters.
 *  Shapes are those for inputs of the given shapes; nothing is computed and no state changes. Without
 *  inputs, that column is left out. */
export function summary(model: Module, ...inputs: InputShape[]): string {
  if (!(model instanceof Module))
    throw new TypeError(`nn.summary: model is ${model === null ? 'null' : typeof model}, expected a Module`)
  const modules = [...model.namedModules()]
  const shapes = new Map<Module, string>()
  if (inputs.length > 0) {
    const remove = modules.map(([, module]) =>
      module.registerForwardHook((_, __, output) => {
        shapes.set(module, [...tensorsIn<Tensor>(output)].map(({ shape }) => show(shape)).join(' '))
      }),
    )
    try {
      // A trace that is thrown away: shapes are checked and found, no command runs.
      withTrace(new Trace(), () =>
        noGrad(() => {
          const given = inputs.map((input) =>
            isShape(input) ? empty('nn.summary', input) : empty('nn.summary', input?.shape, input?.dtype),
          )
          model.forward(...given)
        }),
      )
    } finally {
      for (const take of remove) take()
    }
  }
  const rows = modules.map(([name, module]) => {
    const depth = name === '' ? 0 : name.split('.').length
    const own = [...module.children()].length === 0 ? module.parameters() : ownParameters(module)
    const label = `${'  '.repeat(depth)}${name === '' ? '' : `${name.split('.').at(-1)}: `}${module.constructor.name}`
    return [label, ...(inputs.length > 0 ? [shapes.get(module) ?? ''] : []), sum(own) === 0 ? '' : count(sum(own))]
  })
  const table = [['layer', ...(inputs.length > 0 ? ['output'] : []), 'parameters'], ...rows]
  const widths = (table[0] as string[]).map((_, i) => Math.max(...table.map((row) => (row[i] as string).length)))
  const last = widths.length - 1
  const lines = table.map((row) =>
    row
      .map((cell, i) => (i === last ? cell.padStart(widths[i] as number) : cell.padEnd(widths[i] as number)))
      .join('  ')
      .trimEnd(),
  )
  const rule = '─'.repeat(widths.reduce((a, b) => a + b + 2, -2))
  const learning = sum(model.parameters().filter(({ requiresGrad }) => requiresGrad))
  const total = sum(model.parameters())
  const frozen = total > learning ? `, ${count(total - learning)} frozen` : ''
  return [lines[0], rule, ...lines.slice(1), rule, `${count(total)} parameters${frozen}`].join('\n')
}

/** Parameters of the module that belong to none of those inside. */
function ownParameters(module: Module): Tensor[] {
  const inside = new Set<Tensor>([...module.children()].flatMap(([, child]) => child.parameters()))
  return module.parameters().filter((parameter) => !inside.has(parameter))
}

const count = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, ',')
