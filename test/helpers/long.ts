// Some tests have two forms: a short one for `npm test`, a long one for `npm run test:fuzz`, which runs the files that
// import this one.

const { MODE } = (import.meta as unknown as { env: { MODE: string } }).env

/** Whether this is `npm run test:fuzz`. */
export const long = MODE === 'fuzz'

/** How many inputs to draw. */
export const runs = (short: number, most: number): number => (long ? most : short)
