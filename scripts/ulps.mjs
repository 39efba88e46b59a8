/** Distance of y from the exact value, in steps of f32 there; below the normal range its steps are 2^-149.
 *  @param {number} y
 *  @param {number} exact
 *  @returns {number} */
export function ulps(y, exact) {
  if (Object.is(y, Math.fround(exact)) || (Number.isNaN(y) && Number.isNaN(exact))) return 0
  return Math.abs(y - exact) / 2 ** (Math.max(-126, Math.floor(Math.log2(Math.abs(exact)))) - 23)
}
