import type { nn } from '../../src/index.ts'

export function build(lr: number): Promise<{ model: nn.Module; step: () => number }>
