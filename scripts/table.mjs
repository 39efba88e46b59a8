// Tables in documents that a command writes: between <!-- NAME --> and <!-- end -->.

import { readFileSync, writeFileSync } from 'node:fs'

/** Puts `lines` in the place of the table `name` of `document`, a path from the root of the repository. */
export function writeTable(document, name, lines) {
  const file = new URL(`../${document}`, import.meta.url)
  const text = readFileSync(file, 'utf8')
  const place = new RegExp(`<!-- ${name} -->[^]*?<!-- end -->`)
  if (!place.test(text)) throw new Error(`${document}: no place <!-- ${name} --> … <!-- end -->`)
  writeFileSync(
    file,
    text.replace(place, () => [`<!-- ${name} -->`, ...lines, '<!-- end -->'].join('\n')),
  )
}
