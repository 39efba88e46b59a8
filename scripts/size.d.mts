/** See size.mjs. */
export declare function bundle(name: string): Promise<string>
