import type { Operand } from './storage.ts'

/** How a kernel uses a parameter: see assembly/abi.ts. */
export type Role = 'out' | 'in' | 'inout' | 'scratch' | 'ints' | 'i32' | 'f32'

export interface Kernel {
  readonly name: string
  readonly opcode: number
  readonly roles: readonly Role[]
}

/** One call of a kernel. */
export interface Command {
  readonly kernel: Kernel
  readonly args: readonly (Operand | readonly number[] | number | null)[]
  /** Says in words why the kernel refused the element at `position`. */
  explain?: ((position: number) => string) | undefined
}

/** The function that makes the commands of one kernel. `roles`: those of its parameters, apart by spaces. */
export function kernel<Args extends Command['args']>(
  name: string,
  opcode: number,
  roles: string,
): (...args: Args) => Command {
  const kernel = Object.freeze({ name, opcode, roles: roles.split(' ') as Role[] })
  return (...args) => ({ kernel, args })
}

const isOperand = (arg: Command['args'][number]): arg is Operand =>
  typeof arg === 'object' && arg !== null && 'storage' in arg

/** The operands of a command with their roles, absent ones left out. */
export function operands(command: Command): { role: Role; operand: Operand }[] {
  const found: { role: Role; operand: Operand }[] = []
  command.args.forEach((arg, i) => {
    if (isOperand(arg)) found.push({ role: command.kernel.roles[i] as Role, operand: arg })
  })
  return found
}

export const writes = (role: Role): boolean => role === 'out' || role === 'inout'
export const reads = (role: Role): boolean => role === 'in' || role === 'inout'
