// Rules by which commands are cut into parts. That parts give the bits of the whole: `npm run test:threads`.

import { expect, test } from 'vitest'
import { signatures } from '../src/threads/signatures.ts'
import { rules } from '../src/threads/split.ts'

test('each kernel has a rule, or a reason to be for one thread', () => {
  expect(Object.keys(rules).sort()).toEqual(Object.keys(signatures).sort())
})
