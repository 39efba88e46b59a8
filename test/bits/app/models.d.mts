/** How many steps the trainings of hashes.json have. */
export const STEPS: number

/** What to say where they differ from hashes.json. */
export const CHANGED: string

export function hashes(lanewise: object, steps: number): Promise<Record<string, string>>
