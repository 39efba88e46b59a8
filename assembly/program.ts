// Runs a program: commands one after the other until a head word of 0.

import { dispatch } from './dispatch'

/** Returns 0; or 1 when a command refused its data, with its index and the refused position + 1 written
 *  to the two words at `failure`. Commands after it have not run. */
export function run(program: usize, failure: usize): i32 {
  let index = 0
  while (true) {
    const head = load<u32>(program)
    if (head == 0) return 0
    const refused = dispatch(head & 0xffff, program + 4)
    if (refused) {
      store<i32>(failure, index)
      store<i32>(failure, refused, 4)
      return 1
    }
    program += <usize>(head >> 16) << 2
    index++
  }
}
