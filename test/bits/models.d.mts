export function hashes(lanewise: object, steps: number): Promise<Record<string, string>>
