// Pooling of planes [planes, height, width] to [planes, outHeight, outWidth].

import { In, Ints, Out } from '../abi'
import { at, four, sumLanes } from '../simd'

/** Whether to take v before m: larger, or NaN. */
// @ts-ignore: decorator
@inline
function beats(v: v128, m: v128): v128 {
  return v128.or(f32x4.gt(v, m), f32x4.ne(v, v))
}

/** out = the largest of each window, NaN where one is NaN; argmax = where in its plane it lies, the first of equals,
 *  -1 for a window that is padding alone (out is -Infinity).  out, argmax: [planes, outHeight, outWidth]; x: [planes,
 *  height, width].  geometry: kernelHeight, kernelWidth, strideY, strideX, dilationY, dilationX, padTop, padLeft. */
export function maxPool2d(
  out: Out, argmax: Out, x: In, planes: i32, height: i32, width: i32, outHeight: i32, outWidth: i32, geometry: Ints,
): void {
  const kernelHeight = load<i32>(geometry)
  const kernelWidth = load<i32>(geometry, 4)
  const strideY = load<i32>(geometry, 8)
  const strideX = load<i32>(geometry, 12)
  const stepY = load<i32>(geometry, 16)
  const stepX = load<i32>(geometry, 20)
  const top = load<i32>(geometry, 24)
  const left = load<i32>(geometry, 28)
  // Columns of out from which, and up to which, windows lie inside.
  const inside = (left + strideX - 1) / strideX
  const beyond = width - (kernelWidth - 1) * stepX + left
  for (let c = 0; c < planes; c++) {
    for (let y = 0; y < outHeight; y++) {
      const top0 = y * strideY - top
      let j = 0
      while (j < outWidth) {
        if (j >= inside && j + 4 <= outWidth && (j + 3) * strideX < beyond) {
          let best = f32x4.splat(-Infinity as f32)
          let place = i32x4.splat(-1)
          const steps = i32x4(0, strideX, 2 * strideX, 3 * strideX)
          for (let u = 0, row = top0; u < kernelHeight; u++, row += stepY) {
            if (row < 0 || row >= height) continue
            let index = row * width + j * strideX - left
            for (let v = 0; v < kernelWidth; v++, index += stepX) {
              const value = four(at(x, index), strideX)
              const better = v128.or(beats(value, best), i32x4.lt_s(place, i32x4.splat(0)))
              best = v128.bitselect(value, best, better)
              place = v128.bitselect(i32x4.add(i32x4.splat(index), steps), place, better)
            }
          }
          v128.store(at(out, j), best)
          v128.store(at(argmax, j), place)
          j += 4
          continue
        }
        let best = -Infinity as f32
        let place = -1
        for (let u = 0, row = top0; u < kernelHeight; u++, row += stepY) {
          if (row < 0 || row >= height) continue
          let column = j * strideX - left
          for (let v = 0; v < kernelWidth; v++, column += stepX) {
            if (column < 0 || column >= width) continue
            const value = load<f32>(at(x, row * width + column))
            if (place < 0 || value > best || value != value) {
              best = value
              place = row * width + column
            }
          }
        }
        store<f32>(at(out, j), best)
        store<i32>(at(argmax, j), place)
        j++
      }
      out += <usize>outWidth << 2
      argmax += <usize>outWidth << 2
    }
    x += <usize>(height * width) << 2
  }
}

/** dx = Σ dy of the windows whose largest an element was. */
export function maxPool2dBackward(
  dx: Out, dy: In, argmax: In, planes: i32, height: i32, width: i32, positions: i32,
): void {
  memory.fill(dx, 0, <usize>(planes * height * width) << 2)
  for (let c = 0; c < planes; c++) {
    for (let i = 0; i < positions; i++) {
      const place = load<i32>(at(argmax, i))
      if (place < 0) continue
      const p = at(dx, place)
      store<f32>(p, load<f32>(p) + load<f32>(at(dy, i)))
    }
    dx += <usize>(height * width) << 2
    dy += <usize>positions << 2
    argmax += <usize>positions << 2
  }
}

// @ts-ignore: decorator
@inline
function even(p: usize): v128 {
  return v128.shuffle<f32>(v128.load(p), v128.load(p, 16), 0, 2, 4, 6)
}

// @ts-ignore: decorator
@inline
function odd(p: usize): v128 {
  return v128.shuffle<f32>(v128.load(p), v128.load(p, 16), 1, 3, 5, 7)
}

/** out = the largest of the window at p of a plane, argmax = where it lies, given `first`, the place of p. */
function maxOfWindow(out: usize, argmax: usize, p: usize, first: i32, width: i32): void {
  let best = load<f32>(p)
  let place = 0
  for (let i = 1; i < 4; i++) {
    const step = (i & 1) + (i >> 1) * width
    const v = load<f32>(at(p, step))
    if (v > best || v != v) {
      best = v
      place = step
    }
  }
  store<f32>(out, best)
  store<i32>(argmax, first + place)
}

/** maxPool2d with windows of 2×2, side by side; a last odd row or column is left out. The last four columns of a row
 *  may be computed a second time, together; windows with a NaN go one by one. */
export function maxPool2x2(out: Out, argmax: Out, x: In, planes: i32, height: i32, width: i32): void {
  const outHeight = height >> 1
  const outWidth = width >> 1
  const line = <usize>width << 2
  const steps = i32x4(0, 2, 4, 6)
  const right = i32x4.splat(1)
  const below = i32x4.splat(width)
  const across = i32x4.splat(width + 1)
  for (let c = 0; c < planes; c++) {
    for (let y = 0; y < outHeight; y++) {
      const first = 2 * y * width
      const p = at(x, first)
      let j = 0
      if (outWidth >= 4) {
        for (; j < outWidth; j += 4) {
          j = min(j, outWidth - 4)
          const q = at(p, 2 * j)
          const v0 = even(q)
          const v1 = odd(q)
          const v2 = even(q + line)
          const v3 = odd(q + line)
          // Nothing is NaN where the sum is not; the sum of infinities may be.
          const sum = f32x4.add(f32x4.add(v0, v1), f32x4.add(v2, v3))
          if (v128.any_true(f32x4.ne(sum, sum))) {
            for (let i = j; i < j + 4; i++) maxOfWindow(at(out, i), at(argmax, i), at(p, 2 * i), first + 2 * i, width)
            continue
          }
          let place = v128.and(right, f32x4.gt(v1, v0))
          let most = f32x4.pmax(v0, v1)
          place = v128.bitselect(below, place, f32x4.gt(v2, most))
          most = f32x4.pmax(most, v2)
          place = v128.bitselect(across, place, f32x4.gt(v3, most))
          v128.store(at(out, j), f32x4.pmax(most, v3))
          v128.store(at(argmax, j), i32x4.add(place, i32x4.add(i32x4.splat(first + 2 * j), steps)))
        }
      }
      for (; j < outWidth; j++) maxOfWindow(at(out, j), at(argmax, j), at(p, 2 * j), first + 2 * j, width)
      out += <usize>outWidth << 2
      argmax += <usize>outWidth << 2
    }
    x += <usize>(height * width) << 2
  }
}

/** dx of maxPool2x2: windows do not overlap, so each element is written once. */
export function maxPool2x2Backward(dx: Out, dy: In, argmax: In, planes: i32, height: i32, width: i32): void {
  const outHeight = height >> 1
  const outWidth = width >> 1
  const line = <usize>width << 2
  const one = i32x4.splat(1)
  for (let c = 0; c < planes; c++) {
    for (let y = 0; y < outHeight; y++) {
      const p = at(dx, 2 * y * width)
      const first = 2 * y * width
      let j = 0
      for (; j < outWidth && outWidth >= 4; j += 4) {
        j = min(j, outWidth - 4)
        const d = v128.load(at(dy, j))
        const k = v128.load(at(argmax, j))
        const q = at(p, 2 * j)
        const upper = i32x4.add(i32x4.splat(first + 2 * j), i32x4(0, 2, 4, 6))
        const lower = i32x4.add(upper, i32x4.splat(width))
        const d0 = v128.and(d, i32x4.eq(k, upper))
        const d1 = v128.and(d, i32x4.eq(k, i32x4.add(upper, one)))
        const d2 = v128.and(d, i32x4.eq(k, lower))
        const d3 = v128.and(d, i32x4.eq(k, i32x4.add(lower, one)))
        v128.store(q, v128.shuffle<f32>(d0, d1, 0, 4, 1, 5))
        v128.store(q, v128.shuffle<f32>(d0, d1, 2, 6, 3, 7), 16)
        v128.store(q + line, v128.shuffle<f32>(d2, d3, 0, 4, 1, 5))
        v128.store(q + line, v128.shuffle<f32>(d2, d3, 2, 6, 3, 7), 16)
      }
      for (; j < outWidth; j++) {
        const d = load<f32>(at(dy, j))
        const k = load<i32>(at(argmax, j)) - first
        for (let i = 0; i < 4; i++) {
          const place = 2 * j + (i & 1) + (i >> 1) * width
          store<f32>(at(p, place), k == place ? d : 0)
        }
      }
      if (width & 1) {
        store<f32>(at(p, width - 1), 0)
        store<f32>(at(p, 2 * width - 1), 0)
      }
      dy += <usize>outWidth << 2
      argmax += <usize>outWidth << 2
    }
    if (height & 1) memory.fill(at(dx, (height - 1) * width), 0, line)
    dx += <usize>(height * width) << 2
  }
}

// @ts-ignore: decorator
@inline
function sumRow(p: usize, n: i32): f32 {
  let total: f32 = 0
  let i = 0
  if (n >= 8) {
    let sum0 = f32x4.splat(0)
    let sum1 = f32x4.splat(0)
    for (; i + 8 <= n; i += 8) {
      sum0 = f32x4.add(sum0, v128.load(at(p, i)))
      sum1 = f32x4.add(sum1, v128.load(at(p, i), 16))
    }
    total = sumLanes(f32x4.add(sum0, sum1))
  }
  for (; i < n; i++) total += load<f32>(at(p, i))
  return total
}

/** out = the mean of each window.  windows: (start, end, count) of each row of out, then of each column: a window is
 *  rows start to end by columns start to end, its sum divided by both counts. */
export function averagePool2d(
  out: Out, x: In, planes: i32, height: i32, width: i32, outHeight: i32, outWidth: i32, windows: Ints,
): void {
  const across = windows + 12 * outHeight
  for (let c = 0; c < planes; c++) {
    for (let y = 0; y < outHeight; y++) {
      const down = windows + 12 * y
      const end = load<i32>(down, 4)
      for (let j = 0; j < outWidth; j++) {
        const columns = across + 12 * j
        const left = load<i32>(columns)
        const n = load<i32>(columns, 4) - left
        let sum: f32 = 0
        for (let row = load<i32>(down); row < end; row++) sum += sumRow(at(x, row * width + left), n)
        store<f32>(out, sum / <f32>(load<i32>(down, 8) * load<i32>(columns, 8)))
        out += 4
      }
    }
    x += <usize>(height * width) << 2
  }
}

/** dx = Σ dy / counts of the windows that an element is in. */
export function averagePool2dBackward(
  dx: Out, dy: In, planes: i32, height: i32, width: i32, outHeight: i32, outWidth: i32, windows: Ints,
): void {
  const across = windows + 12 * outHeight
  memory.fill(dx, 0, <usize>(planes * height * width) << 2)
  for (let c = 0; c < planes; c++) {
    for (let y = 0; y < outHeight; y++) {
      const down = windows + 12 * y
      const end = load<i32>(down, 4)
      for (let j = 0; j < outWidth; j++) {
        const columns = across + 12 * j
        const left = load<i32>(columns)
        const right = load<i32>(columns, 4)
        const share = load<f32>(dy) / <f32>(load<i32>(down, 8) * load<i32>(columns, 8))
        for (let row = load<i32>(down); row < end; row++) {
          const p = at(dx, row * width)
          let i = left
          for (; i + 4 <= right; i += 4) v128.store(at(p, i), f32x4.add(v128.load(at(p, i)), f32x4.splat(share)))
          for (; i < right; i++) store<f32>(at(p, i), load<f32>(at(p, i)) + share)
        }
        dy += 4
      }
    }
    dx += <usize>(height * width) << 2
  }
}

/** averagePool2d with windows of 2×2, side by side; a last odd row or column is left out. */
export function averagePool2x2(out: Out, x: In, planes: i32, height: i32, width: i32): void {
  const outWidth = width >> 1
  const line = <usize>width << 2
  const quarter = f32x4.splat(0.25)
  for (let c = 0; c < planes; c++) {
    for (let y = 0; y < height >> 1; y++) {
      const p = at(x, 2 * y * width)
      let j = 0
      for (; j + 4 <= outWidth; j += 4) {
        const q = at(p, 2 * j)
        const sum = f32x4.add(f32x4.add(even(q), odd(q)), f32x4.add(even(q + line), odd(q + line)))
        v128.store(at(out, j), f32x4.mul(sum, quarter))
      }
      for (; j < outWidth; j++) {
        const q = at(p, 2 * j)
        const sum: f32 = load<f32>(q) + load<f32>(q, 4) + (load<f32>(q + line) + load<f32>(q + line, 4))
        store<f32>(at(out, j), sum * 0.25)
      }
      out += <usize>outWidth << 2
    }
    x += <usize>(height * width) << 2
  }
}

/** dx of averagePool2x2. */
export function averagePool2x2Backward(dx: Out, dy: In, planes: i32, height: i32, width: i32): void {
  const outWidth = width >> 1
  const line = <usize>width << 2
  const quarter = f32x4.splat(0.25)
  for (let c = 0; c < planes; c++) {
    for (let y = 0; y < height >> 1; y++) {
      const p = at(dx, 2 * y * width)
      let j = 0
      for (; j + 4 <= outWidth; j += 4) {
        const d = f32x4.mul(v128.load(at(dy, j)), quarter)
        const low = v128.shuffle<f32>(d, d, 0, 0, 1, 1)
        const high = v128.shuffle<f32>(d, d, 2, 2, 3, 3)
        const q = at(p, 2 * j)
        v128.store(q, low)
        v128.store(q, high, 16)
        v128.store(q + line, low)
        v128.store(q + line, high, 16)
      }
      for (; j < outWidth; j++) {
        const d: f32 = load<f32>(at(dy, j)) * 0.25
        const q = at(p, 2 * j)
        store<f32>(q, d)
        store<f32>(q, d, 4)
        store<f32>(q + line, d)
        store<f32>(q + line, d, 4)
      }
      if (width & 1) {
        store<f32>(at(p, width - 1), 0)
        store<f32>(at(p, 2 * width - 1), 0)
      }
      dy += <usize>outWidth << 2
    }
    if (height & 1) memory.fill(at(dx, (height - 1) * width), 0, line)
    dx += <usize>(height * width) << 2
  }
}
