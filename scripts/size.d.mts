/** See size.mjs. */
export declare function bundle(code: string): Promise<string>
