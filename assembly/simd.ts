// Lanes and tails. A tail of 1..3 lanes is a full load, of which only some lanes count. Hot loops take two
// neighbouring vectors an iteration: engines with 256-bit registers can pair them.

/** The address of element i of the f32 array at `base`. */
// @ts-ignore: decorator
@inline
export function at(base: usize, i: i32): usize {
  return base + (<usize>i << 2)
}

/** sum + a b: rounded once in the fast core (where the engine fuses), twice in the other. */
// @ts-ignore: decorator
@inline
export function mulAdd(sum: v128, a: v128, b: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, sum)
  return f32x4.add(sum, f32x4.mul(a, b))
}

/** sum - a b, likewise. */
// @ts-ignore: decorator
@inline
export function mulSub(sum: v128, a: v128, b: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_nmadd(a, b, sum)
  return f32x4.sub(sum, f32x4.mul(a, b))
}

/** Stores the first `count` (0..4) lanes of v. */
export function storeLanes(p: usize, v: v128, count: i32): void {
  if (count >= 4) {
    v128.store(p, v)
    return
  }
  if (count >= 2) v128.store64_lane(p, v, 0)
  if (count == 1) v128.store32_lane(p, v, 0)
  if (count == 3) v128.store32_lane(p, v, 2, 8)
}

/** The first `count` (0..4) lanes at p, zeros in the others. */
export function loadLanes(p: usize, count: i32): v128 {
  const lanes = i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(count))
  return v128.and(v128.load(p), lanes)
}

/** ((v0 + v2) + (v1 + v3)) */
// @ts-ignore: decorator
@inline
export function sumLanes(v: v128): f32 {
  const pair = f32x4.add(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1))
  return f32x4.extract_lane(pair, 0) + f32x4.extract_lane(pair, 1)
}

/** The largest lane; NaN when any lane is NaN. */
// @ts-ignore: decorator
@inline
export function maxLanes(v: v128): f32 {
  const pair = f32x4.max(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1))
  return max(f32x4.extract_lane(pair, 0), f32x4.extract_lane(pair, 1))
}

/** Four elements, `stride` apart. */
// @ts-ignore: decorator
@inline
export function four(p: usize, stride: i32): v128 {
  if (stride == 1) return v128.load(p)
  if (stride == 2) return v128.shuffle<f32>(v128.load(p), v128.load(p, 16), 0, 2, 4, 6)
  const step = <usize>stride << 2
  let v = v128.load32_zero(p)
  v = v128.load32_lane(p + step, v, 1)
  v = v128.load32_lane(p + 2 * step, v, 2)
  return v128.load32_lane(p + 3 * step, v, 3)
}
