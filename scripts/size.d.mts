/** See size.mjs. */
export declare function bundle(code: string): Promise<{ name: string; content: string | Uint8Array; first: boolean }[]>
export declare function loaded(code: string): Promise<string[]>
