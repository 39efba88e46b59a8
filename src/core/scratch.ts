import { DEPTH, ROWS, TILE_COLUMNS, TILE_ROWS } from './commands.ts'

// What the kernels of matrix products work in, in floats: tiles at edges, strips of A, panels of B (assembly/gemm/pack.ts).

const up = (n: number, to: number): number => to * Math.ceil(n / to)

export const TILE_FLOATS = ROWS * TILE_COLUMNS

/** Strips of A [m, k]. */
export const stripFloats = (m: number, k: number): number => up(m, TILE_ROWS) * k

/** All panels of B [k, n]. */
export const panelFloats = (k: number, n: number): number => k * up(n, TILE_COLUMNS)

/** Tiles, and strips of the rows of A [m, k] that are packed at a time. */
export const productFloats = (m: number, k: number): number => TILE_FLOATS + stripFloats(Math.min(m, ROWS), k)

/** gemm with A [m, k], in bytes: a block of k at a time. */
export const gemmBytes = (m: number, k: number): number =>
  4 * (productFloats(m, Math.min(k, DEPTH)) + TILE_COLUMNS * Math.min(k, DEPTH))
