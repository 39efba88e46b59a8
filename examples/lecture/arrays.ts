// Matrices as arrays of rows: what lesson 8 writes backpropagation in.

export type Matrix = number[][]
export const map = (a: Matrix, f: (value: number, i: number, j: number) => number): Matrix =>
  a.map((row, i) => row.map((value, j) => f(value, i, j)))
export const transposed = (a: Matrix): Matrix => a[0]!.map((_, j) => a.map((row) => row[j]!))
export const product = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b[0]!.map((_, j) => row.reduce((sum, value, k) => sum + value * b[k]![j]!, 0)))
export const sumOfRows = (a: Matrix): Matrix => [a[0]!.map((_, j) => a.reduce((sum, row) => sum + row[j]!, 0))]
/** The largest difference of a and b, over the largest element of b. */
export const apart = (a: Matrix, b: Matrix): number =>
  Math.max(...map(a, (value, i, j) => Math.abs(value - b[i]![j]!)).flat()) / Math.max(...b.flat().map(Math.abs))
