// The patches of an image as a matrix [k, positions] that never exists as a whole: a panel, or a few rows of
// it, are copied to where the micro-kernel reads them.
//
//   patches[k, p] = image[start(p) + offset(k)]    k = (channel, y, x) in the kernel, p = (y, x) in the output
//
// The image is the input itself, or a copy with zeros around it: no loop tests for borders.

import { at, four, mulAdd, storeLanes, sumLanes } from '../simd'
import { copyEight, interleave } from './pack'
import { TILE_COLUMNS, TILE_ROW } from './tile'

/** The list of whole numbers that a convolution is given, in this order. */
export const enum Geometry {
  batch,
  channels,
  height,
  width,
  outChannels,
  outHeight,
  outWidth,
  kernelHeight,
  kernelWidth,
  strideY,
  strideX,
  dilationY,
  dilationX,
  padTop,
  padLeft,
  groups,
  /** Size of the image: of the input, or of its copy when `padded`. */
  imageHeight,
  imageWidth,
  padded,
}

// @ts-ignore: decorator
@inline
export function field(geometry: usize, name: Geometry): i32 {
  return load<i32>(geometry + (<usize>name << 2))
}

/** offsets[k], in bytes, for the patches of one group: channels × kernelHeight × kernelWidth of them. */
export function patchOffsets(offsets: usize, geometry: usize): void {
  const channels = field(geometry, Geometry.channels) / field(geometry, Geometry.groups)
  const height = field(geometry, Geometry.kernelHeight)
  const width = field(geometry, Geometry.kernelWidth)
  const stepY = field(geometry, Geometry.dilationY)
  const stepX = field(geometry, Geometry.dilationX)
  const rows = field(geometry, Geometry.imageHeight)
  const columns = field(geometry, Geometry.imageWidth)
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        store<i32>(offsets, ((c * rows + y * stepY) * columns + x * stepX) << 2)
        offsets += 4
      }
    }
  }
}

/** Where the patches of output row y start in the image, in bytes. */
// @ts-ignore: decorator
@inline
function rowStart(y: i32, geometry: usize): usize {
  return <usize>y * rowStep(geometry)
}

/** Bytes of the image from one row of the output to the next. */
// @ts-ignore: decorator
@inline
function rowStep(geometry: usize): usize {
  return <usize>(field(geometry, Geometry.strideY) * field(geometry, Geometry.imageWidth)) << 2
}

/** The inside of `image` = the planes of x, and the other way round with `back`. */
export function copyInside(image: usize, x: usize, planes: i32, geometry: usize, back: bool): void {
  const height = field(geometry, Geometry.height)
  const width = field(geometry, Geometry.width)
  const rows = field(geometry, Geometry.imageHeight)
  const columns = field(geometry, Geometry.imageWidth)
  const top = field(geometry, Geometry.padTop)
  const left = field(geometry, Geometry.padLeft)
  const across = min(width, columns - left)
  for (let c = 0; c < planes; c++) {
    for (let y = 0; y < height; y++) {
      const inside = y + top < rows
      if (!inside && !back) break
      const from = back ? image + (<usize>((y + top) * columns + left) << 2) : x + (<usize>(y * width) << 2)
      const to = back ? x + (<usize>(y * width) << 2) : image + (<usize>((y + top) * columns + left) << 2)
      const n = inside ? max(across, 0) : 0
      let i = 0
      for (; i + 4 <= n; i += 4) v128.store(at(to, i), v128.load(at(from, i)))
      if (i < n) storeLanes(at(to, i), v128.load(at(from, i)), n - i)
      // What no patch reads has no gradient.
      if (back) for (i = n; i < width; i++) store<f32>(at(to, i), 0)
    }
    image += <usize>(rows * columns) << 2
    x += <usize>(height * width) << 2
  }
}

/** panel[i, 0..n) = the n positions that follow `start` in one row of the output, for i < k. Up to `room` elements of a
 *  line are written. */
function packRun(panel: usize, start: usize, offsets: usize, k: i32, n: i32, room: i32, stride: i32): void {
  // What comes after is written later, or not used: whole vectors are quicker than their parts.
  const whole = (n + 3) & ~3
  const m = stride == 1 && whole <= room ? whole : n
  for (let i = 0; i < k; i++) {
    const p = start + <usize>load<u32>(at(offsets, i))
    let j = 0
    if (stride == 1) {
      for (; j + 8 <= m; j += 8) copyEight(at(panel, j), at(p, j))
      if (m & 4) {
        v128.store(at(panel, j), v128.load(at(p, j)))
        j += 4
      }
    } else {
      for (; j + 4 <= m; j += 4) v128.store(at(panel, j), four(at(p, j * stride), stride))
    }
    for (; j < m; j++) store<f32>(at(panel, j), load<f32>(at(p, j * stride)))
    panel += TILE_ROW
  }
}

/** panel[i, j] = patches[i, p + j] for i < k, j < 16; what would lie past the last position is not written. */
export function packPatches(panel: usize, image: usize, offsets: usize, k: i32, p: i32, positions: i32, geometry: usize): void {
  const outWidth = field(geometry, Geometry.outWidth)
  const stride = field(geometry, Geometry.strideX)
  let room = TILE_COLUMNS
  let left = min(room, positions - p)
  let x = p % outWidth
  let row = image + rowStart(p / outWidth, geometry)
  while (left > 0) {
    const n = min(outWidth - x, left)
    packRun(panel, at(row, x * stride), offsets, k, n, room, stride)
    panel += <usize>n << 2
    room -= n
    left -= n
    x = 0
    row += rowStep(geometry)
  }
}

/** panel[p, j] = patches[k + j, from + p] for p < count and j < width: the other way round. Up to three lines more
 *  are written. */
export function packPatchesTransposed(
  panel: usize, image: usize, offsets: usize, k: i32, width: i32, from: i32, count: i32, geometry: usize,
): void {
  for (let j = 0; j < width; j += 4) {
    const p0 = image + <usize>load<u32>(at(offsets, k + j))
    const p1 = image + <usize>load<u32>(at(offsets, k + min(j + 1, width - 1)))
    const p2 = image + <usize>load<u32>(at(offsets, k + min(j + 2, width - 1)))
    const p3 = image + <usize>load<u32>(at(offsets, k + min(j + 3, width - 1)))
    packFourRuns(at(panel, j), p0, p1, p2, p3, from, count, geometry)
  }
}

/** Four columns of it: p0 .. p3 point at the patch elements of position 0. */
function packFourRuns(panel: usize, p0: usize, p1: usize, p2: usize, p3: usize, from: i32, count: i32, geometry: usize): void {
  const outWidth = field(geometry, Geometry.outWidth)
  const stride = field(geometry, Geometry.strideX)
  let x = from % outWidth
  let row = rowStart(from / outWidth, geometry)
  while (count > 0) {
    const n = min(outWidth - x, count)
    const start = at(row, x * stride)
    if (stride == 1) interleave(panel, TILE_ROW, p0 + start, p1 + start, p2 + start, p3 + start, (n + 3) & ~3)
    else {
      for (let i = 0; i < n; i++) {
        const to = panel + <usize>i * TILE_ROW
        const q = at(start, i * stride)
        store<f32>(to, load<f32>(p0 + q))
        store<f32>(to, load<f32>(p1 + q), 4)
        store<f32>(to, load<f32>(p2 + q), 8)
        store<f32>(to, load<f32>(p3 + q), 12)
      }
    }
    panel += <usize>n * TILE_ROW
    count -= n
    x = 0
    row += rowStep(geometry)
  }
}

/** patches[k, from + i] += factor · line[i] for i < count, in the image. */
export function addPatchRow(image: usize, line: usize, factor: f32, from: i32, count: i32, geometry: usize): void {
  const outWidth = field(geometry, Geometry.outWidth)
  const stride = field(geometry, Geometry.strideX)
  let x = from % outWidth
  let row = image + rowStart(from / outWidth, geometry)
  while (count > 0) {
    const n = min(outWidth - x, count)
    if (stride == 1) addRun(at(row, x), line, factor, n)
    else {
      for (let i = 0; i < n; i++) {
        const q = at(row, (x + i) * stride)
        store<f32>(q, load<f32>(q) + factor * load<f32>(at(line, i)))
      }
    }
    line += <usize>n << 2
    count -= n
    x = 0
    row += rowStep(geometry)
  }
}

/** to += factor · line on n elements. */
// @ts-ignore: decorator
@inline
function addRun(to: usize, line: usize, factor: f32, n: i32): void {
  const scale = f32x4.splat(factor)
  const end = at(to, n & ~7)
  for (; to < end; to += 32, line += 32) {
    const sum0 = mulAdd(v128.load(to), scale, v128.load(line))
    const sum1 = mulAdd(v128.load(to, 16), scale, v128.load(line, 16))
    v128.store(to, sum0)
    v128.store(to, sum1, 16)
  }
  if (n & 4) {
    v128.store(to, mulAdd(v128.load(to), scale, v128.load(line)))
    to += 16
    line += 16
  }
  if (n & 2) {
    v128.store64_lane(to, mulAdd(v128.load64_zero(to), scale, v128.load64_zero(line)), 0)
    to += 8
    line += 8
  }
  if (n & 1) store<f32>(to, load<f32>(to) + factor * load<f32>(line))
}

/** out[p] = Σ weight[i] · patches[i, p] over i < k, for all positions: one channel alone. */
export function filterPlane(out: usize, image: usize, offsets: usize, weight: usize, k: i32, geometry: usize): void {
  const outWidth = field(geometry, Geometry.outWidth)
  const outHeight = field(geometry, Geometry.outHeight)
  const stride = field(geometry, Geometry.strideX)
  const line = <usize>(field(geometry, Geometry.strideY) * field(geometry, Geometry.imageWidth)) << 2
  for (let y = 0; y < outHeight; y++) {
    let x = 0
    for (; x + 8 <= outWidth; x += 8) {
      const p = at(image, x * stride)
      let sum0 = f32x4.splat(0)
      let sum1 = f32x4.splat(0)
      for (let i = 0; i < k; i++) {
        const w = v128.load32_splat(at(weight, i))
        const q = p + <usize>load<u32>(at(offsets, i))
        sum0 = mulAdd(sum0, w, four(q, stride))
        sum1 = mulAdd(sum1, w, four(q + (<usize>stride << 4), stride))
      }
      v128.store(at(out, x), sum0)
      v128.store(at(out, x), sum1, 16)
    }
    for (; x + 4 <= outWidth; x += 4) {
      let sum = f32x4.splat(0)
      for (let i = 0; i < k; i++) {
        const q = at(image, x * stride) + <usize>load<u32>(at(offsets, i))
        sum = mulAdd(sum, v128.load32_splat(at(weight, i)), four(q, stride))
      }
      v128.store(at(out, x), sum)
    }
    for (; x < outWidth; x++) {
      let sum: f32 = 0
      for (let i = 0; i < k; i++) {
        sum += load<f32>(at(weight, i)) * load<f32>(at(image, x * stride) + <usize>load<u32>(at(offsets, i)))
      }
      store<f32>(at(out, x), sum)
    }
    image += line
    out += <usize>outWidth << 2
  }
}

/** Σ row[p] · patches[k, p] over all positions; image points at the patch element k of position 0. */
export function correlatePlane(image: usize, row: usize, geometry: usize): f32 {
  const outWidth = field(geometry, Geometry.outWidth)
  const outHeight = field(geometry, Geometry.outHeight)
  const stride = field(geometry, Geometry.strideX)
  const line = <usize>(field(geometry, Geometry.strideY) * field(geometry, Geometry.imageWidth)) << 2
  let sum = f32x4.splat(0)
  let rest: f32 = 0
  for (let y = 0; y < outHeight; y++) {
    let x = 0
    for (; x + 4 <= outWidth; x += 4) {
      sum = mulAdd(sum, v128.load(at(row, x)), four(at(image, x * stride), stride))
    }
    for (; x < outWidth; x++) rest += load<f32>(at(row, x)) * load<f32>(at(image, x * stride))
    image += line
    row += <usize>outWidth << 2
  }
  return sumLanes(sum) + rest
}
