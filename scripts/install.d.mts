/** See install.mjs. */
export declare function install(folder: string): Promise<void>
