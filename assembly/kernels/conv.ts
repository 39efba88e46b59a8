// Convolutions (cross-correlations) of images [batch, channels, height, width] as matrix products with patches
// that are packed block by block (assembly/gemm/patches.ts). With K = channels of a group × kernel, P = output
// positions, for each image and group:
//
//   y  [O, P] = W [O, K] · patches [K, P]       strips of W, once; panels of patches
//   dW [O, K] = dY [O, P] · patchesᵀ [P, K]     strips of dY, panels of patchesᵀ; small images are joined
//   dX        = Wᵀ [K, O] · dY [O, P]           strips of Wᵀ, once; rows of patches, added back to where they came from
//
// A group of one input channel goes without products. geometry: see Geometry.

import { In, Ints, OptionalIn, OptionalOut, Out, Scratch } from '../abi'
import { packFour, packRows, packStrips, sumStrips } from '../gemm/pack'
import { addPatchRow, copyInside, correlatePlane, field, filterPlane, Geometry, packPatches, packPatchesTransposed, patchOffsets } from '../gemm/patches'
import { multiplyPanel, ROWS, STRIP_ROW, stripBytes, TILE_BYTES, TILE_COLUMNS, TILE_ROW, TILE_ROWS, ZEROS } from '../gemm/tile'
import { at, storeLanes, sumLanes } from '../simd'
import { DEPTH } from './gemm'

/** Floats between rows of patches that follow each other, beyond their length: rows of 4 KB would share cache sets. */
export const ROW_GAP = 16
/** Rows of patches that dX computes before it adds them. */
export const PATCH_ROWS = 32

// @ts-ignore: decorator
@inline
function patchSize(geometry: usize): i32 {
  const channels = field(geometry, Geometry.channels) / field(geometry, Geometry.groups)
  return channels * field(geometry, Geometry.kernelHeight) * field(geometry, Geometry.kernelWidth)
}

// @ts-ignore: decorator
@inline
function isDepthwise(geometry: usize): bool {
  const groups = field(geometry, Geometry.groups)
  return groups > 1 && field(geometry, Geometry.channels) == groups
}

/** y = x ∗ weight + bias, or relu of it.  out: [batch, outChannels, outHeight, outWidth]; x: [batch, channels, height,
 *  width]; weight: [outChannels, channels / groups, kernelHeight, kernelWidth]; bias: [outChannels], or absent.
 *  buffer, in floats, with O = outChannels / groups: 256 × 16 for tiles, K for offsets, channels / groups × imageHeight ×
 *  imageWidth when padded, 16 O for biases, O rounded up to 4 × K for strips, 16 × min(K, 512) for a panel, and 16 more. */
export function conv2d(
  out: Out, x: In, weight: In, bias: OptionalIn, buffer: Scratch, geometry: Ints, relu: i32,
): void {
  const batch = field(geometry, Geometry.batch)
  const groups = field(geometry, Geometry.groups)
  const channels = field(geometry, Geometry.channels) / groups
  const padded = field(geometry, Geometry.padded) != 0
  const positions = field(geometry, Geometry.outHeight) * field(geometry, Geometry.outWidth)
  const plane = field(geometry, Geometry.imageHeight) * field(geometry, Geometry.imageWidth)
  const rowsO = field(geometry, Geometry.outChannels) / groups
  const patch = patchSize(geometry)
  const depthwise = isDepthwise(geometry)
  const offsets = buffer + TILE_BYTES
  const copied = at(offsets, patch)
  const copiedBytes = padded ? <usize>(channels * plane) << 2 : 0
  const starts = copied + copiedBytes
  const strips = starts + <usize>rowsO * TILE_ROW
  const panel = strips + stripBytes(rowsO, patch)
  const input = <usize>(channels * field(geometry, Geometry.height) * field(geometry, Geometry.width)) << 2
  const output = <usize>(rowsO * positions) << 2
  patchOffsets(offsets, geometry)
  // The border stays 0 from image to image.
  memory.fill(copied, 0, copiedBytes)
  for (let g = 0; g < groups; g++) {
    const w = weight + (<usize>(g * rowsO * patch) << 2)
    for (let o = 0; o < rowsO; o++) {
      const start = bias ? v128.load32_splat(at(bias, g * rowsO + o)) : f32x4.splat(0)
      for (let i: usize = 0; i < TILE_ROW; i += 16) v128.store(starts + <usize>o * TILE_ROW + i, start)
    }
    if (!depthwise) packWeight(strips, w, rowsO, patch)
    for (let b = 0; b < batch; b++) {
      const source = x + <usize>(b * groups + g) * input
      const to = out + <usize>(b * groups + g) * output
      if (padded) copyInside(copied, source, channels, geometry, false)
      const image = padded ? copied : source
      if (depthwise) filterGroup(to, image, w, starts, offsets, rowsO, patch, positions, geometry, relu != 0)
      else multiplyGroup(to, image, strips, starts, buffer, offsets, panel, rowsO, patch, positions, geometry, relu != 0)
    }
  }
}

/** W [O, K] as strips, one block of k after the other. */
function packWeight(strips: usize, weight: usize, rowsO: i32, patch: i32): void {
  for (let start = 0; start < patch; start += DEPTH) {
    const depth = min(patch - start, DEPTH)
    packStrips(strips, at(weight, start), <usize>patch << 2, rowsO, depth, false)
    strips += stripBytes(rowsO, depth)
  }
}

function filterGroup(
  out: usize, image: usize, weight: usize, starts: usize, offsets: usize, rows: i32, patch: i32, positions: i32, geometry: usize, relu: bool,
): void {
  const least = f32x4.splat(relu ? 0 : -Infinity)
  for (let o = 0; o < rows; o++) {
    filterPlane(out, image, offsets, at(weight, o * patch), patch, geometry)
    const start = v128.load(starts + <usize>o * TILE_ROW)
    for (let i = 0; i < positions; i += 4) {
      storeLanes(at(out, i), f32x4.pmax(f32x4.add(v128.load(at(out, i)), start), least), positions - i)
    }
    out += <usize>positions << 2
  }
}

function multiplyGroup(
  out: usize, image: usize, strips: usize, starts: usize, tile: usize, offsets: usize, panel: usize,
  m: i32, k: i32, positions: i32, geometry: usize, relu: bool,
): void {
  const ldc = <usize>positions << 2
  let start = 0
  do {
    const depth = min(k - start, DEPTH)
    const clamp = relu && start + depth == k
    const ldf = start > 0 ? ldc : TILE_ROW
    for (let j = 0; j < positions; j += TILE_COLUMNS) {
      packPatches(panel, image, at(offsets, start), depth, j, positions, geometry)
      for (let i = 0; i < m; i += ROWS) {
        const c = at(out + <usize>i * ldc, j)
        const f = start > 0 ? c : starts + <usize>i * TILE_ROW
        const a = strips + stripBytes(i, depth)
        multiplyPanel(c, ldc, min(m - i, ROWS), min(positions - j, TILE_COLUMNS), a, panel, TILE_ROW, depth, f, ldf, clamp, tile)
      }
    }
    strips += stripBytes(m, depth)
    start += depth
  } while (start < k)
}

/** dw = Σ over images of dy · patchesᵀ; sums = Σ over images and positions of dy, the gradient of a bias.  dw: as
 *  weight; sums: [outChannels]; x, dy: as in conv2d; chunk: positions of an image in a product;
 *  images: how many images share one, 1 unless a chunk is all positions; of the K elements of a patch, the `count` from
 *  `first` on (a multiple of 8) are computed, the rest of dw stays.
 *  buffer, in floats, with O = outChannels / groups, depth = images × chunk: 256 × 16 for tiles, K for offsets, images ×
 *  channels / groups × imageHeight × imageWidth when padded, O rounded up to 4 × depth for strips, 16 × (depth + 3) for
 *  a panel, and 16 more. */
export function conv2dWeight(
  dw: Out, sums: OptionalOut, x: In, dy: In, buffer: Scratch, geometry: Ints, chunk: i32, images: i32,
  first: i32, count: i32,
): void {
  const batch = field(geometry, Geometry.batch)
  const groups = field(geometry, Geometry.groups)
  const channels = field(geometry, Geometry.channels) / groups
  const padded = field(geometry, Geometry.padded) != 0
  const positions = field(geometry, Geometry.outHeight) * field(geometry, Geometry.outWidth)
  const plane = field(geometry, Geometry.imageHeight) * field(geometry, Geometry.imageWidth)
  const rowsO = field(geometry, Geometry.outChannels) / groups
  const patch = patchSize(geometry)
  const depthwise = isDepthwise(geometry)
  const input = <usize>(channels * field(geometry, Geometry.height) * field(geometry, Geometry.width)) << 2
  const output = <usize>(rowsO * positions) << 2
  const copiedBytes = padded ? <usize>(channels * plane) << 2 : 0
  const offsets = buffer + TILE_BYTES
  const copied = at(offsets, patch)
  const strips = copied + <usize>images * copiedBytes
  const panel = strips + stripBytes(rowsO, images * chunk)
  const ldc = <usize>patch << 2
  // From one image to the next: in what patches are read from, and in dy.
  const stepImage = padded ? copiedBytes : <usize>groups * input
  const stepDy = <usize>groups * output
  patchOffsets(offsets, geometry)
  memory.fill(copied, 0, <usize>images * copiedBytes)
  for (let o = 0; o < groups * rowsO; o++) memory.fill(at(dw, o * patch + first), 0, <usize>count << 2)
  if (sums) memory.fill(sums, 0, <usize>(groups * rowsO) << 2)
  for (let g = 0; g < groups; g++) {
    for (let b = 0; b < batch; b += images) {
      const together = min(images, batch - b)
      const source = x + <usize>(b * groups + g) * input
      if (padded) {
        for (let i = 0; i < together; i++) {
          copyInside(copied + <usize>i * copiedBytes, source + <usize>(i * groups) * input, channels, geometry, false)
        }
      }
      const image = padded ? copied : source
      const d = dy + <usize>(b * groups + g) * output
      if (depthwise) {
        for (let o = 0; o < rowsO; o++) {
          if (sums) store<f32>(at(sums, o), load<f32>(at(sums, o)) + sumPlane(at(d, o * positions), positions))
          for (let k = first; k < first + count; k++) {
            const to = at(dw, o * patch + k)
            store<f32>(to, load<f32>(to) + correlatePlane(image + <usize>load<u32>(at(offsets, k)), at(d, o * positions), geometry))
          }
        }
        continue
      }
      for (let from = 0; from < positions; from += chunk) {
        const each = min(chunk, positions - from)
        const depth = together * each
        for (let o = 0; o < rowsO; o += TILE_ROWS) {
          for (let i = 0; i < together; i++) {
            const to = strips + stripBytes(o, depth) + <usize>(i * each) * STRIP_ROW
            packFour(to, STRIP_ROW, at(d, o * positions + from) + <usize>i * stepDy, <usize>positions << 2, min(rowsO - o, TILE_ROWS), each)
          }
        }
        if (sums) sumStrips(sums, strips, rowsO, depth, true)
        for (let k = first; k < first + count; k += TILE_COLUMNS) {
          const width = min(first + count - k, TILE_COLUMNS)
          for (let i = 0; i < together; i++) {
            packPatchesTransposed(panel + <usize>(i * each) * TILE_ROW, image + <usize>i * stepImage, offsets, k, width, from, each, geometry)
          }
          for (let o = 0; o < rowsO; o += ROWS) {
            const c = at(dw, o * patch + k)
            multiplyPanel(c, ldc, min(rowsO - o, ROWS), width, strips + stripBytes(o, depth), panel, TILE_ROW, depth, c, ldc, false, buffer)
          }
        }
      }
    }
    dw += <usize>(rowsO * patch) << 2
    if (sums) sums = at(sums, rowsO)
  }
}

/** dx = the patches of weightᵀ · dy, each added where it was taken.  dx: as x, the rest as in conv2d; chunk: positions
 *  in a product, a multiple of 16. Also the forward of a transposed convolution.
 *  buffer, in floats, with O = outChannels / groups: 256 × 16 for tiles, K for offsets, channels / groups × imageHeight ×
 *  imageWidth when padded, K rounded up to 4 × O for strips, O × chunk for panels, 32 × (chunk + ROW_GAP) for rows of
 *  patches, and 16 more. */
export function conv2dInput(dx: Out, dy: In, weight: In, buffer: Scratch, geometry: Ints, chunk: i32): void {
  const batch = field(geometry, Geometry.batch)
  const groups = field(geometry, Geometry.groups)
  const channels = field(geometry, Geometry.channels) / groups
  const padded = field(geometry, Geometry.padded) != 0
  const positions = field(geometry, Geometry.outHeight) * field(geometry, Geometry.outWidth)
  const plane = field(geometry, Geometry.imageHeight) * field(geometry, Geometry.imageWidth)
  const depth = field(geometry, Geometry.outChannels) / groups
  const patch = patchSize(geometry)
  const depthwise = isDepthwise(geometry)
  const offsets = buffer + TILE_BYTES
  const copied = at(offsets, patch)
  const imageBytes = <usize>(channels * plane) << 2
  const strips = padded ? copied + imageBytes : copied
  const panels = strips + stripBytes(patch, depth)
  const panel = <usize>depth * TILE_ROW
  const lines = panels + (<usize>(chunk * depth) << 2)
  const ldc = <usize>(chunk + ROW_GAP) << 2
  const input = <usize>(channels * field(geometry, Geometry.height) * field(geometry, Geometry.width)) << 2
  patchOffsets(offsets, geometry)
  for (let g = 0; g < groups; g++) {
    const w = weight + (<usize>(g * depth * patch) << 2)
    if (!depthwise) packStrips(strips, w, <usize>patch << 2, patch, depth, true)
    for (let b = 0; b < batch; b++) {
      const to = dx + <usize>(b * groups + g) * input
      const image = padded ? copied : to
      const d = dy + (<usize>((b * groups + g) * depth * positions) << 2)
      memory.fill(image, 0, imageBytes)
      if (depthwise) {
        for (let o = 0; o < depth; o++) {
          for (let k = 0; k < patch; k++) {
            const factor = load<f32>(at(w, o * patch + k))
            addPatchRow(image + <usize>load<u32>(at(offsets, k)), at(d, o * positions), factor, 0, positions, geometry)
          }
        }
      } else {
        for (let from = 0; from < positions; from += chunk) {
          const count = min(chunk, positions - from)
          for (let j = 0, p = panels; j < count; j += TILE_COLUMNS, p += panel) packRows(p, at(d, from + j), <usize>positions << 2, depth)
          for (let k = 0; k < patch; k += PATCH_ROWS) {
            const rows = min(patch - k, PATCH_ROWS)
            // Whole strips: the lines have room for them.
            const computed = (rows + TILE_ROWS - 1) & -TILE_ROWS
            for (let j = 0, p = panels; j < count; j += TILE_COLUMNS, p += panel) {
              multiplyPanel(at(lines, j), ldc, computed, TILE_COLUMNS, strips + stripBytes(k, depth), p, TILE_ROW, depth, ZEROS, 0, false, buffer)
            }
            for (let i = 0; i < rows; i++) {
              addPatchRow(image + <usize>load<u32>(at(offsets, k + i)), lines + <usize>i * ldc, 1, from, count, geometry)
            }
          }
        }
      }
      if (padded) copyInside(copied, to, channels, geometry, true)
    }
  }
}

/** Σ p[i] over the positions. */
function sumPlane(p: usize, positions: i32): f32 {
  let sum0 = f32x4.splat(0)
  let sum1 = f32x4.splat(0)
  let i = 0
  for (; i + 8 <= positions; i += 8) {
    sum0 = f32x4.add(sum0, v128.load(at(p, i)))
    sum1 = f32x4.add(sum1, v128.load(at(p, i), 16))
  }
  let rest: f32 = 0
  for (; i < positions; i++) rest += load<f32>(at(p, i))
  return sumLanes(f32x4.add(sum0, sum1)) + rest
}
