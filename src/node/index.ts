// lanewise/node: everything of lanewise, with an init that knows Node.

export * from '../index.ts'
export { openFile } from './file.ts'
export { folderStore } from './folder.ts'
export { init, type NodeInitOptions } from './init.ts'
