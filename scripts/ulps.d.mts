/** See ulps.mjs. */
export declare function ulps(y: number, exact: number): number
