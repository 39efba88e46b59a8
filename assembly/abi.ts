// The roles that a kernel's parameters may play. A kernel's own signature is the one declaration of
// its command: scripts/abi.mjs reads the exported functions of assembly/kernels and writes from them
// the dispatch of the core (assembly/dispatch.ts) and the typed encoder of the host
// (src/core/commands.ts). A command in memory is one head word, opcode | words << 16, and one word
// for each parameter, in order. The planner learns from the roles what a command reads and writes.
//
// A kernel returns nothing, or an i32: 0 when it is done, else 1 + the position of the element it
// refuses. It then leaves its outputs undefined, and the run stops before the next command.
//
// Sizes are in elements. Any size may be 0. Inputs may be read up to 60 bytes past their end (what
// lies there is never used): the allocator keeps that much slack behind the last block.

/** Address of memory that the kernel writes in full, alone or together with neighbouring commands. */
export type Out = usize
/** Like Out; 0 when not wanted. Never a kernel's first parameter. */
export type OptionalOut = usize
/** Address of memory that the kernel reads. */
export type In = usize
/** Like In; 0 when absent. */
export type OptionalIn = usize
/** Address of memory that the kernel reads and updates. */
export type InOut = usize
/** Like InOut; 0 when absent. */
export type OptionalInOut = usize
/** Address of scratch memory: what it held before is not read, what it holds after is not used. */
export type Scratch = usize
/** Address of constant i32 values that travel with the program. */
export type Ints = usize
