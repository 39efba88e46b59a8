// Reads the signatures of all exported kernels (assembly/kernels) and writes what follows from them:
// assembly/dispatch.ts, which hands a command's words to its kernel, src/core/commands.ts, the typed
// encoder, and src/threads/signatures.ts, the names of parameters by which commands are cut into parts.
// assembly/abi.ts explains the roles. All are build products.
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import assemblyscript from 'assemblyscript'

const root = new URL('..', import.meta.url)
const roles = {
  Out: 'out',
  OptionalOut: 'out',
  In: 'in',
  OptionalIn: 'in',
  InOut: 'inout',
  OptionalInOut: 'inout',
  Scratch: 'scratch',
  Ints: 'ints',
  i32: 'i32',
  f32: 'f32',
}
const hostTypes = {
  Out: 'Operand',
  OptionalOut: 'Operand | null',
  In: 'Operand',
  OptionalIn: 'Operand | null',
  InOut: 'Operand',
  OptionalInOut: 'Operand | null',
  Scratch: 'Operand',
  Ints: 'readonly number[]',
  i32: 'number',
  f32: 'number',
}

const { NodeKind, CommonFlags } = assemblyscript
const families = readdirSync(new URL('assembly/kernels/', root))
  .filter((f) => f.endsWith('.ts'))
  .sort()
const kernels = []
const enums = []
const constants = []
for (const path of [
  ...families.map((file) => `assembly/kernels/${file}`),
  'assembly/gemm/tile.ts',
  'assembly/gemm/patches.ts',
]) {
  const text = readFileSync(new URL(path, root), 'utf8')
  // Whole numbers that the host needs, too.
  for (const [, name, value] of text.matchAll(/^export const (\w+) = (\d+)$/gm)) constants.push({ name, value })
  const program = assemblyscript.newProgram(assemblyscript.newOptions())
  assemblyscript.parse(program, text, path, true)
  const source = program.sources.find((s) => s.normalizedPath === path)
  for (const node of source.statements) {
    if (!(node.flags & CommonFlags.Export)) continue
    if (node.kind === NodeKind.EnumDeclaration) {
      enums.push({ name: node.name.text, members: node.values.map((v) => v.name.text) })
    }
    // Inline helpers and functions without roles serve other kernels; they are no commands.
    if (node.kind !== NodeKind.FunctionDeclaration || node.decorators?.length) continue
    const params = node.signature.parameters.map((p) => ({ name: p.name.text, type: p.type.name.identifier.text }))
    if (!params.some((p) => p.type === 'Out' || p.type === 'InOut' || p.type === 'In')) continue
    for (const p of params)
      if (!roles[p.type])
        throw new Error(
          `${path}: ${node.name.text}: parameter ${p.name} has type ${p.type}, expected one of ${Object.keys(roles).join(', ')}`,
        )
    kernels.push({
      name: node.name.text,
      file: path.split('/').at(-1).slice(0, -3),
      params,
      returns: node.signature.returnType.name.identifier.text,
    })
  }
}
const names = kernels.map((k) => k.name)
const twice = names.find((n, i) => names.indexOf(n) !== i)
if (twice) throw new Error(`assembly/kernels: two kernels are named ${twice}`)

// Two sides that disagree in one of these do not work together.
const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))
const abi = `0x${createHash('sha256')
  .update(JSON.stringify([version, kernels, enums, constants]))
  .digest('hex')
  .slice(0, 8)}`

const wasmType = (type) => (type === 'i32' || type === 'f32' ? type : 'usize')
// A function for each kernel, called through a table: a kernel is compiled, by both tiers of an engine, when a program
// first needs it. (One switch over all was a function of 41 KB: 20 ms of the optimizing tier in every process.)
const dispatch = `// Written by scripts/abi.mjs from the kernels' signatures.
${families.map((f) => `import * as ${f.slice(0, -3)}Family from './kernels/${f.slice(0, -3)}'`).join('\n')}

${kernels
  .map((k) => {
    const call = `${k.file}Family.${k.name}(${k.params.map((p, j) => `load<${wasmType(p.type)}>(p, ${4 * j})`).join(', ')})`
    return `function ${k.name}(p: usize): i32 { ${k.returns === 'void' ? `${call}; return 0` : `return ${call}`} }`
  })
  .join('\n')}

const kernels: StaticArray<(p: usize) => i32> = [${kernels.map((k) => k.name).join(', ')}]

/** Of the version of the package, and the signatures of all kernels. */
export const ABI: u32 = ${abi}

// @ts-ignore: decorator
@inline
export function dispatch(opcode: u32, p: usize): i32 {
  return unchecked(kernels[opcode - 1])(p)
}
`
const byFamily = families.map((f) => [
  f.slice(0, -3),
  kernels.filter((k) => k.file === f.slice(0, -3)).map((k) => k.name),
])
const list = (items) => items.join(', ')
const encoder = `// Written by scripts/abi.mjs from the kernels' signatures.
import { kernel } from './command.ts'
import type { Operand } from './storage.ts'

/** What the core that takes these commands says of itself. */
export const ABI = ${abi}

/** The kernels of each file of assembly/kernels. */
export const families: Readonly<Record<string, readonly string[]>> = ${JSON.stringify(Object.fromEntries(byFamily))}

${constants.map((c) => `export const ${c.name} = ${c.value}\n`).join('')}${enums.map((e) => `export const ${e.name} = { ${list(e.members.map((m, i) => `${m}: ${i}`))} } as const\n`).join('')}
${kernels
  .map(
    ({ name, file, params }, i) => `/** assembly/kernels/${file}.ts */
export const ${name} = /* @__PURE__ */ kernel<[${list(params.map((p) => `${p.name}: ${hostTypes[p.type]}`))}]>('${name}', ${i + 1}, '${params.map((p) => roles[p.type]).join(' ')}')
/** Positions of ${name}'s arguments. */
export const ${name}Args = { ${list(params.map((p, j) => `${p.name}: ${j}`))} } as const
`,
  )
  .join('')}`
writeFileSync(new URL('assembly/dispatch.ts', root), dispatch)
mkdirSync(new URL('src/core/', root), { recursive: true })
writeFileSync(new URL('src/core/commands.ts', root), encoder)
const signatures = `// Written by scripts/abi.mjs from the kernels' signatures.

/** The names of parameters that are numbers. */
export type NumberName =
${[
  ...new Set(
    kernels
      .flatMap(({ params }) => params.filter(({ type }) => type === 'i32' || type === 'f32'))
      .map(({ name }) => name),
  ),
]
  .sort()
  .map((name) => `  | '${name}'`)
  .join('\n')}

/** The names of each kernel's parameters. */
export const signatures: Readonly<Record<string, string>> = {
${kernels.map(({ name, params }) => `  ${name}: '${params.map((p) => p.name).join(' ')}',`).join('\n')}
}
`
writeFileSync(new URL('src/threads/signatures.ts', root), signatures)
