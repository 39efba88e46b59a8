import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Store } from '../train/store.ts'

const temporary = (name: string): boolean => name.endsWith('.tmp')

/** A folder as a store of checkpoints; it is made when something is written. A file is written beside its place, brought to the
 *  disk, and renamed: who is killed meanwhile leaves the one that was there. One training at a time may write to it. */
export function folderStore(path: string): Store {
  if (typeof path !== 'string' || path === '')
    throw new TypeError(`folderStore: path is ${String(path)}, expected the path of a folder`)
  const check = (name: string): string => {
    if (/[/\\]|^\.|\.tmp$/.test(name) || name === '')
      throw new RangeError(`folderStore: ${name} is no name of a file in a folder`)
    return join(path, name)
  }
  const names = () => readdir(path).catch((error) => (error.code === 'ENOENT' ? [] : Promise.reject(error)))
  return {
    list: async () => (await names()).filter((name) => !temporary(name)),
    read: async (name) => new Uint8Array(await readFile(check(name))),
    async write(name, bytes) {
      const place = check(name)
      await mkdir(path, { recursive: true })
      const beside = `${place}.tmp`
      try {
        const file = await open(beside, 'w')
        try {
          await file.writeFile(bytes)
          await file.sync()
        } finally {
          await file.close()
        }
        await rename(beside, place)
      } catch (error) {
        await rm(beside, { force: true }).catch(() => {})
        throw error
      }
      // The name, too, is to be on the disk; not every system lets a folder be synchronised.
      const folder = await open(path, 'r').catch(() => null)
      await folder?.sync().catch(() => {})
      await folder?.close()
    },
    delete: (name) => rm(check(name), { force: true }),
    async sweep() {
      for (const name of await names()) if (temporary(name)) await rm(join(path, name), { force: true })
    },
  }
}
