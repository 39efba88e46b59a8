// The script of a worker of a page.

import { work } from './work.ts'
import type { Assignment } from './worker.ts'

declare const self: {
  onmessage: ((event: { data: Assignment }) => void) | null
  postMessage(message: string): void
}

self.onmessage = ({ data }) => {
  work(data, () => self.postMessage('ready')).catch((error: Error) => self.postMessage(error.message))
}
