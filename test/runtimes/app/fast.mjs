// The cores in a process.

import { fast } from './fast.js'

console.log(JSON.stringify(await fast()))
