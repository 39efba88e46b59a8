// Convolutions (cross-correlations) of images [batch, channels, height, width] as matrix products with patches
// that are packed block by block (assembly/gemm/patches.ts). With K = channels of a group × kernel, P = output
// positions, for each image and group:
//
//   y  [O, P] = W [O, K] · patches [K, P]       panels of 8 positions, tiles of 6 output channels
//   dWᵀ[K, O] = patches [K, P] · dYᵀ [P, O]     tiles of 6 rows of patches; small images are joined
//   dX        = Wᵀ [K, O] · dY [O, P]           rows of patches, added back to where they came from
//
// A group of one input channel goes without products. geometry: see Geometry.

import { In, Ints, OptionalIn, Out, Scratch } from '../abi'
import { finishRows, finishTile } from '../gemm/epilogue'
import { packRows, packStrip, packTransposed } from '../gemm/pack'
import { addPatchRow, copyInside, correlatePlane, field, filterPlane, Geometry, packPatches, packPatchRow, patchOffsets } from '../gemm/patches'
import { multiplyTile, TILE_COLUMNS, TILE_ROWS, tileRows } from '../gemm/tile'
import { at, storeLanes, sumLanes } from '../simd'
import { activate, Activation } from './activation'
import { transpose } from './copy'
import { DEPTH, ROWS } from './gemm'

const PANEL_ROW: usize = 4 * TILE_COLUMNS
const STRIP_ROW: usize = 4 * TILE_ROWS
const TILE: usize = 4 * TILE_ROWS * TILE_COLUMNS
/** Floats between rows of patches that follow each other, beyond their length: rows of 4 KB would share cache sets. */
export const ROW_GAP = 16

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

/** y = activation(x ∗ weight + bias).  out: [batch, outChannels, outHeight, outWidth]; x: [batch, channels, height,
 *  width]; weight: [outChannels, channels / groups, kernelHeight, kernelWidth]; bias: [outChannels], or absent.
 *  buffer, in floats: 6 × 8 for a tile, K for offsets, channels × imageHeight × imageWidth when padded,
 *  min(K, 1024) × 8 for a panel, and 16 more. */
export function conv2d(
  out: Out, x: In, weight: In, bias: OptionalIn, buffer: Scratch, geometry: Ints, activation: i32,
): void {
  const batch = field(geometry, Geometry.batch)
  const channels = field(geometry, Geometry.channels)
  const groups = field(geometry, Geometry.groups)
  const padded = field(geometry, Geometry.padded) != 0
  const positions = field(geometry, Geometry.outHeight) * field(geometry, Geometry.outWidth)
  const plane = field(geometry, Geometry.imageHeight) * field(geometry, Geometry.imageWidth)
  const rowsO = field(geometry, Geometry.outChannels) / groups
  const patch = patchSize(geometry)
  const depthwise = isDepthwise(geometry)
  const offsets = buffer + TILE
  const copied = at(offsets, patch)
  const copiedBytes = padded ? <usize>(channels * plane) << 2 : 0
  const panel = copied + copiedBytes
  const input = <usize>(channels * field(geometry, Geometry.height) * field(geometry, Geometry.width)) << 2
  const stepOut = <usize>(rowsO * positions) << 2
  const stepWeight = <usize>(rowsO * patch) << 2
  const stepImage = <usize>(channels / groups * plane) << 2
  patchOffsets(offsets, geometry)
  // The border stays 0 from image to image.
  memory.fill(copied, 0, copiedBytes)
  for (let b = 0; b < batch; b++) {
    if (padded) copyInside(copied, x, channels, geometry, false)
    let image = padded ? copied : x
    for (let g = 0; g < groups; g++) {
      const w = weight + <usize>g * stepWeight
      const biasG = bias ? at(bias, g * rowsO) : 0
      if (depthwise) filterGroup(out, image, w, biasG, offsets, rowsO, patch, positions, geometry, activation)
      else multiplyGroup(out, image, w, biasG, buffer, offsets, panel, rowsO, patch, positions, geometry, activation)
      out += stepOut
      image += stepImage
    }
    x += input
  }
}

function filterGroup(
  out: usize, image: usize, weight: usize, bias: usize, offsets: usize, rows: i32, patch: i32, positions: i32, geometry: usize, activation: i32,
): void {
  for (let o = 0; o < rows; o++) {
    filterPlane(out, image, offsets, at(weight, o * patch), patch, geometry)
    if (bias || activation != Activation.none) {
      const added = bias ? v128.load32_splat(at(bias, o)) : f32x4.splat(0)
      for (let i = 0; i < positions; i += 4) {
        const v = v128.load(at(out, i))
        storeLanes(at(out, i), activate(activation, bias ? f32x4.add(v, added) : v), positions - i)
      }
    }
    out += <usize>positions << 2
  }
}

function multiplyGroup(
  out: usize, image: usize, weight: usize, bias: usize, tile: usize, offsets: usize, panel: usize,
  m: i32, k: i32, positions: i32, geometry: usize, activation: i32,
): void {
  const ldc = <usize>positions << 2
  const lda = <usize>k << 2
  let start = 0
  do {
    const depth = min(k - start, DEPTH)
    const last = start + depth == k
    const finish = last && (bias != 0 || activation != Activation.none)
    for (let top = 0; top < m; top += ROWS) {
      const bottom = min(m, top + ROWS)
      for (let j = 0; j < positions; j += TILE_COLUMNS) {
        const width = min(positions - j, TILE_COLUMNS)
        packPatches(panel, image, at(offsets, start), depth, j, positions, geometry)
        const direct = start == 0 && width == TILE_COLUMNS
        for (let i = top, rows = 0; i < bottom; i += rows) {
          rows = tileRows(bottom - i)
          const c = at(out + <usize>i * ldc, j)
          const to = direct ? c : tile
          const ldt = direct ? ldc : PANEL_ROW
          multiplyTile(rows, width, false, to, ldt, at(weight + <usize>i * lda, start), lda, panel, PANEL_ROW, depth)
          if (finish || !direct) {
            finishRows(c, ldc, to, ldt, rows, width, start > 0, last && bias ? at(bias, i) : 0, last ? activation : Activation.none)
          }
        }
      }
    }
    start += depth
  } while (start < k)
}

/** dw = Σ over images of dy · patchesᵀ.  dw: as weight; x, dy: as in conv2d; chunk: positions of an image in a product;
 *  images: how many images share one, 1 unless a chunk is all positions.
 *  buffer, in floats, with O = outChannels / groups, depth = images × chunk: 6 × 8 for a tile, K for offsets, images ×
 *  channels / groups × imageHeight × imageWidth when padded, K × O for sums, O rounded up to 8 × depth for panels,
 *  6 × (depth + ROW_GAP) for rows of patches, and 16 more. */
export function conv2dWeight(dw: Out, x: In, dy: In, buffer: Scratch, geometry: Ints, chunk: i32, images: i32): void {
  const batch = field(geometry, Geometry.batch)
  const groups = field(geometry, Geometry.groups)
  const channels = field(geometry, Geometry.channels) / groups
  const padded = field(geometry, Geometry.padded) != 0
  const positions = field(geometry, Geometry.outHeight) * field(geometry, Geometry.outWidth)
  const plane = field(geometry, Geometry.imageHeight) * field(geometry, Geometry.imageWidth)
  const columnsO = field(geometry, Geometry.outChannels) / groups
  const patch = patchSize(geometry)
  const depthwise = isDepthwise(geometry)
  const input = <usize>(channels * field(geometry, Geometry.height) * field(geometry, Geometry.width)) << 2
  const output = <usize>(columnsO * positions) << 2
  const copiedBytes = padded ? <usize>(channels * plane) << 2 : 0
  const offsets = buffer + TILE
  const copied = at(offsets, patch)
  const sums = copied + <usize>images * copiedBytes
  const panels = sums + (<usize>(patch * columnsO) << 2)
  const panel = <usize>(images * chunk) * PANEL_ROW
  const lines = panels + <usize>((columnsO + TILE_COLUMNS - 1) / TILE_COLUMNS) * panel
  const lda = <usize>(images * chunk + ROW_GAP) << 2
  const ldc = <usize>columnsO << 2
  // From one image to the next: in what patches are read from, and in dy.
  const stepImage = padded ? copiedBytes : <usize>groups * input
  const stepDy = <usize>groups * output
  patchOffsets(offsets, geometry)
  memory.fill(copied, 0, <usize>images * copiedBytes)
  for (let g = 0; g < groups; g++) {
    memory.fill(sums, 0, <usize>(patch * columnsO) << 2)
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
        for (let k = 0; k < patch; k++) {
          const from = image + <usize>load<u32>(at(offsets, k))
          for (let o = 0; o < columnsO; o++) {
            const to = at(sums, k * columnsO + o)
            store<f32>(to, load<f32>(to) + correlatePlane(from, at(d, o * positions), geometry))
          }
        }
        continue
      }
      for (let from = 0; from < positions; from += chunk) {
        const count = min(chunk, positions - from)
        for (let o = 0, p = panels; o < columnsO; o += TILE_COLUMNS, p += panel) {
          for (let i = 0; i < together; i++) {
            const q = at(d, o * positions + from) + <usize>i * stepDy
            packTransposed(p + <usize>(i * count) * PANEL_ROW, q, <usize>positions << 2, count, min(columnsO - o, TILE_COLUMNS))
          }
        }
        const first = b == 0 && from == 0
        for (let k = 0, rows = 0; k < patch; k += rows) {
          rows = tileRows(patch - k)
          for (let r = 0; r < rows; r++) {
            const p = image + <usize>load<u32>(at(offsets, k + r))
            const line = lines + <usize>r * lda
            for (let i = 0; i < together; i++) packPatchRow(at(line, i * count), p + <usize>i * stepImage, from, count, geometry)
          }
          for (let o = 0, p = panels; o < columnsO; o += TILE_COLUMNS, p += panel) {
            const width = min(columnsO - o, TILE_COLUMNS)
            const c = at(sums, k * columnsO + o)
            const direct = first && width == TILE_COLUMNS
            multiplyTile(rows, width, false, direct ? c : buffer, direct ? ldc : PANEL_ROW, lines, lda, p, PANEL_ROW, together * count)
            if (!direct) finishTile(c, ldc, buffer, PANEL_ROW, rows, width, !first, 0, Activation.none)
          }
        }
      }
    }
    transpose(dw, sums, 1, patch, columnsO)
    dw += <usize>(patch * columnsO) << 2
  }
}

/** dx = the patches of weightᵀ · dy, each added where it was taken.  dx: as x, the rest as in conv2d; chunk: positions
 *  in a product, a multiple of 8. Also the forward of a transposed convolution.
 *  buffer, in floats, with O = outChannels / groups: K for offsets, channels / groups × imageHeight × imageWidth when
 *  padded, K rounded up to 6 × O for strips, O × chunk for panels, 6 × (chunk + ROW_GAP) for rows, and 16 more. */
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
  const offsets = buffer
  const copied = at(offsets, patch)
  const imageBytes = <usize>(channels * plane) << 2
  const strips = padded ? copied + imageBytes : copied
  const strip = <usize>depth * STRIP_ROW
  const panels = strips + <usize>((patch + TILE_ROWS - 1) / TILE_ROWS) * strip
  const panel = <usize>depth * PANEL_ROW
  const rowsOfPatches = panels + (<usize>(chunk * depth) << 2)
  const ldc = <usize>(chunk + ROW_GAP) << 2
  const input = <usize>(channels * field(geometry, Geometry.height) * field(geometry, Geometry.width)) << 2
  patchOffsets(offsets, geometry)
  for (let g = 0; g < groups; g++) {
    const w = weight + (<usize>(g * depth * patch) << 2)
    if (!depthwise) {
      for (let k = 0, rows = 0, p = strips; k < patch; k += rows, p += strip) {
        rows = tileRows(patch - k)
        packStrip(p, at(w, k), <usize>patch << 2, depth)
      }
    }
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
          for (let k = 0, rows = 0, a = strips; k < patch; k += rows, a += strip) {
            rows = tileRows(patch - k)
            for (let j = 0, p = panels; j < count; j += TILE_COLUMNS, p += panel) {
              multiplyTile(rows, TILE_COLUMNS, true, at(rowsOfPatches, j), ldc, a, 0, p, PANEL_ROW, depth)
            }
            for (let i = 0; i < rows; i++) {
              addPatchRow(image + <usize>load<u32>(at(offsets, k + i)), rowsOfPatches + <usize>i * ldc, 1, from, count, geometry)
            }
          }
        }
      }
      if (padded) copyInside(copied, to, channels, geometry, true)
    }
  }
}

/** db[c] = Σ dy over batch and positions.  dy: [batch, channels, positions]; db: [channels]. */
export function sumChannels(db: Out, dy: In, batch: i32, channels: i32, positions: i32): void {
  for (let c = 0; c < channels; c++) {
    let total: f32 = 0
    for (let b = 0; b < batch; b++) {
      const p = at(dy, (b * channels + c) * positions)
      let sum0 = f32x4.splat(0)
      let sum1 = f32x4.splat(0)
      let i = 0
      for (; i + 8 <= positions; i += 8) {
        sum0 = f32x4.add(sum0, v128.load(at(p, i)))
        sum1 = f32x4.add(sum1, v128.load(at(p, i), 16))
      }
      let rest: f32 = 0
      for (; i < positions; i++) rest += load<f32>(at(p, i))
      total += sumLanes(f32x4.add(sum0, sum1)) + rest
    }
    store<f32>(at(db, c), total)
  }
}
