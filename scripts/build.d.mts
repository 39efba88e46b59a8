/** See build.mjs. */
export interface Step {
  command: string
  reads: readonly string[]
  writes: readonly (string | readonly [folder: string, path: RegExp])[]
}
export declare function build(root: string, stages: readonly Record<string, Step>[]): Promise<string[]>
