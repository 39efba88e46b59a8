// Enlarging and shrinking planes [planes, height, width] to [planes, outHeight, outWidth].

import { In, Ints, Out } from '../abi'
import { at } from '../simd'

/** out[y, x] = x[rows[y], columns[x]].  sources: a row of the input for each row of out, then a column for each. */
export function nearest2d(
  out: Out, x: In, planes: i32, height: i32, width: i32, outHeight: i32, outWidth: i32, sources: Ints,
): void {
  const across = at(sources, outHeight)
  for (let c = 0; c < planes; c++) {
    for (let y = 0; y < outHeight; y++) {
      const row = load<i32>(at(sources, y))
      if (y > 0 && row == load<i32>(at(sources, y - 1))) memory.copy(out, out - (<usize>outWidth << 2), <usize>outWidth << 2)
      else {
        const p = at(x, row * width)
        for (let j = 0; j < outWidth; j++) store<f32>(at(out, j), load<f32>(at(p, load<i32>(at(across, j)))))
      }
      out += <usize>outWidth << 2
    }
    x += <usize>(height * width) << 2
  }
}

/** dx = Σ dy of the elements that were copied. */
export function nearest2dBackward(
  dx: Out, dy: In, planes: i32, height: i32, width: i32, outHeight: i32, outWidth: i32, sources: Ints,
): void {
  const across = at(sources, outHeight)
  memory.fill(dx, 0, <usize>(planes * height * width) << 2)
  for (let c = 0; c < planes; c++) {
    for (let y = 0; y < outHeight; y++) {
      const p = at(dx, load<i32>(at(sources, y)) * width)
      for (let j = 0; j < outWidth; j++) {
        const q = at(p, load<i32>(at(across, j)))
        store<f32>(q, load<f32>(q) + load<f32>(at(dy, j)))
      }
      dy += <usize>outWidth << 2
    }
    dx += <usize>(height * width) << 2
  }
}

/** out[y, x] = the mean of four elements, weighted by how near they are.  sources: (first, second, bits of the f32 share of
 *  the second) for each row of out, then for each column. */
export function bilinear2d(
  out: Out, x: In, planes: i32, height: i32, width: i32, outHeight: i32, outWidth: i32, sources: Ints,
): void {
  const across = sources + 12 * outHeight
  for (let c = 0; c < planes; c++) {
    for (let y = 0; y < outHeight; y++) {
      const rows = sources + 12 * y
      const p = at(x, load<i32>(rows) * width)
      const q = at(x, load<i32>(rows, 4) * width)
      const down = load<f32>(rows, 8)
      for (let j = 0; j < outWidth; j++) {
        const columns = across + 12 * j
        const left = load<i32>(columns)
        const right = load<i32>(columns, 4)
        const share = load<f32>(columns, 8)
        const upper = load<f32>(at(p, left)) * (1 - share) + load<f32>(at(p, right)) * share
        const lower = load<f32>(at(q, left)) * (1 - share) + load<f32>(at(q, right)) * share
        store<f32>(at(out, j), upper * (1 - down) + lower * down)
      }
      out += <usize>outWidth << 2
    }
    x += <usize>(height * width) << 2
  }
}

/** dx of bilinear2d. */
export function bilinear2dBackward(
  dx: Out, dy: In, planes: i32, height: i32, width: i32, outHeight: i32, outWidth: i32, sources: Ints,
): void {
  const across = sources + 12 * outHeight
  memory.fill(dx, 0, <usize>(planes * height * width) << 2)
  for (let c = 0; c < planes; c++) {
    for (let y = 0; y < outHeight; y++) {
      const rows = sources + 12 * y
      const p = at(dx, load<i32>(rows) * width)
      const q = at(dx, load<i32>(rows, 4) * width)
      const down = load<f32>(rows, 8)
      for (let j = 0; j < outWidth; j++) {
        const columns = across + 12 * j
        const share = load<f32>(columns, 8)
        const upper = load<f32>(at(dy, j)) * (1 - down)
        const lower = load<f32>(at(dy, j)) * down
        addTo(at(p, load<i32>(columns)), upper * (1 - share))
        addTo(at(p, load<i32>(columns, 4)), upper * share)
        addTo(at(q, load<i32>(columns)), lower * (1 - share))
        addTo(at(q, load<i32>(columns, 4)), lower * share)
      }
      dy += <usize>outWidth << 2
    }
    dx += <usize>(height * width) << 2
  }
}

// @ts-ignore: decorator
@inline
function addTo(p: usize, value: f32): void {
  store<f32>(p, load<f32>(p) + value)
}
