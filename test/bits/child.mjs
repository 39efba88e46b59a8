// One runtime's part of `npm run bits`: trains the models and prints their hashes as JSON. Arguments: steps, and `wide`.
import { hashes } from './models.mjs'

const [steps, mode] = process.argv.slice(2)
const lanewise = await import('../../dist/node.js')
await lanewise.init({ wide: mode === 'wide' })
console.log(JSON.stringify(await hashes(lanewise, Number(steps))))
