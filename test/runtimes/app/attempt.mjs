// What init says in a process.

import { init } from 'lanewise'

console.log(
  JSON.stringify(
    await init().then(
      () => '',
      (error) => error.message,
    ),
  ),
)
