// Reverse-mode differentiation. Each op leaves a node behind its result: its inputs, and for each input
// the function from the gradient of the result to the gradient of that input. The tape is the order in
// which nodes were made; backward walks it from the end.

import { add, checkFinite, fill } from '../core/commands.ts'
import { floatBits } from '../core/encode.ts'
import { currentTrace, emit, type Trace } from '../core/engine.ts'
import { sameShape, show } from './shape.ts'
import { empty, type GradientRule, gradientOf, type Node, type Tensor } from './tensor.ts'

let made = 0
let enabled = true

/** Whether ops are noted down for a program, so that their values are not there to look at. */
export const tracing = (): boolean => Boolean(currentTrace())

/** Whether ops are recorded: not inside noGrad. */
export const recording = (): boolean => enabled

/** Runs fn without recording: what it computes has no gradient. torch.no_grad. */
export function noGrad<T>(fn: () => T): T {
  const before = enabled
  enabled = false
  try {
    return fn()
  } finally {
    enabled = before
  }
}

/** Puts an op on the tape: `rules[i]` gives the gradient of `inputs[i]`, and is only called when wanted. */
export function record(
  name: string,
  result: Tensor,
  inputs: readonly Tensor[],
  rules: readonly (GradientRule | null)[],
): Tensor {
  if (!enabled || !inputs.some((input, i) => rules[i] && input.requiresGrad)) return result
  result.node = { name, order: made++, inputs, rules }
  result.requiresGrad = true
  return result
}

/** The inputs that are there, and their rules, where one command computes all gradients: the first rule that a
 *  backward calls runs `compute`. `wanted` says, in the order of `inputs`, which gradients are. */
export function together(
  inputs: readonly (Tensor | null)[],
  compute: (dy: Tensor, wanted: boolean[]) => readonly (Tensor | null)[],
) {
  let open: { dy: Tensor; gradients: readonly (Tensor | null)[]; left: Set<number> } | null = null
  const rule =
    (i: number): GradientRule =>
    (dy) => {
      if (open?.dy !== dy || !open.left.has(i)) {
        const wanted = inputs.map((input) => input?.requiresGrad ?? false)
        open = { dy, gradients: compute(dy, wanted), left: new Set(wanted.flatMap((yes, j) => (yes ? [j] : []))) }
      }
      const gradient = open.gradients[i] as Tensor
      open.left.delete(i)
      // A backward asks once for each: the next one starts anew.
      if (open.left.size === 0) open = null
      return gradient
    }
  const present = inputs.flatMap((input, i) => (input ? [{ input, rule: rule(i) }] : []))
  return { inputs: present.map(({ input }) => input), rules: present.map((p) => p.rule) }
}

export interface BackwardOptions {
  /** ∂loss/∂root, of root's shape; default 1, for a root of one element. */
  gradient?: Tensor | undefined
  /** Keep the graph for another backward; default false. */
  retainGraph?: boolean | undefined
}

/** Adds ∂root/∂leaf to the `grad` of every leaf that `root` depends on. The first contribution to a
 *  gradient writes it, later ones add: nothing is zeroed. torch.Tensor.backward. */
export function backward(root: Tensor, { gradient, retainGraph = false }: BackwardOptions = {}): void {
  root.check('backward')
  if (!root.requiresGrad) {
    throw new Error(
      `backward: the tensor of shape ${show(root.shape)} depends on nothing that requires a gradient; set requiresGrad on a leaf, and compute outside of noGrad`,
    )
  }
  if (gradient ? !sameShape(gradient.shape, root.shape) : root.size !== 1) {
    throw new RangeError(
      `backward: ${gradient ? `gradient has shape ${show(gradient.shape)}` : 'no gradient is given'} for a tensor of shape ${show(root.shape)}, expected one of the same shape (or none, for one element)`,
    )
  }
  // Before anything is written: a loss that is no number trains nothing.
  if (!gradient)
    emit(
      checkFinite(root, root.size),
      () => `backward: the loss is not finite; look for NaN in the data, or lower the learning rate`,
    )
  const from = currentTrace()?.commands.length ?? 0
  const results = nodesOf(root)
  const used = results.find((result) => !result.node?.rules)
  if (used)
    throw new Error(
      `backward: the graph behind ${used.node?.name} was already used; pass { retainGraph: true } to the first backward`,
    )
  noGrad(() => {
    const gradients = new Map<Tensor, Tensor>([[root, gradient ?? one(root)]])
    for (const result of results) {
      const node = result.node as Node
      const dy = gradients.get(result) as Tensor
      gradients.delete(result)
      node.rules?.forEach((rule, i) => {
        const input = node.inputs[i] as Tensor
        if (!rule || !input.requiresGrad) return
        const before = gradients.get(input)
        gradients.set(input, before ? sumOf(before, rule(dy)) : rule(dy))
      })
      if (!retainGraph) node.rules = null
    }
    for (const [leaf, total] of gradients) deposit(leaf, total, from)
  })
}

function one(root: Tensor): Tensor {
  const seed = empty('backward', root.shape)
  emit(fill(seed, floatBits(1), 1))
  return seed
}

function sumOf(a: Tensor, b: Tensor): Tensor {
  const total = empty('backward', a.shape)
  emit(add(total, a, b, [1, a.size, 1, 1]))
  return total
}

/** Results with nodes that root depends on, latest first. */
function nodesOf(root: Tensor): Tensor[] {
  const found = new Set<Tensor>()
  const stack = [root]
  for (let tensor = stack.pop(); tensor; tensor = stack.pop()) {
    if (!tensor.node || found.has(tensor)) continue
    found.add(tensor)
    stack.push(...tensor.node.inputs)
  }
  return [...found].sort((a, b) => (b.node as Node).order - (a.node as Node).order)
}

/** `from`: where in the trace this backward began. */
function deposit(leaf: Tensor, gradient: Tensor, from: number): void {
  const before = leaf.grad
  if (before) {
    emit(add(before, before, gradient, [1, leaf.size, 1, 1]))
    return
  }
  // In a trace, the command that makes the gradient is told to write it where it belongs; else it is copied.
  const trace = currentTrace()
  if (trace && redirectable(gradient, trace, from)) {
    const grad = gradientOf(leaf)
    gradient.storage.redirect = { storage: grad.storage, offset: 0 }
    leaf.grad = grad
  } else leaf.grad = gradient
}

/** A value that commands of this backward compute, alone in its bytes: nobody else knows it. */
const redirectable = ({ storage, size, offset }: Tensor, trace: Trace, from: number): boolean =>
  storage.planned &&
  !storage.redirect &&
  offset === 0 &&
  storage.bytes === 4 * size &&
  trace.commands
    .slice(from)
    .some(({ kernel, args }) =>
      kernel.roles.some((role, i) => role === 'out' && (args[i] as Tensor | null)?.storage === storage),
    )
