type Make = (...args: never[]) => unknown

export const schedules: Record<string, Make>

export const initializers: Record<string, Make>

export function host(lanewise: object, learn: object): Promise<Record<string, string>>
