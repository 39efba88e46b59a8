// `using`, in declarations: typed where the compiler's library knows Symbol.dispose, and no error where it does not.

export type Disposes = typeof Symbol extends { readonly dispose: infer Key extends symbol }
  ? { [K in Key]: () => void }
  : object

/** `await using`. */
export type AsyncDisposes = typeof Symbol extends { readonly asyncDispose: infer Key extends symbol }
  ? { [K in Key]: () => Promise<void> }
  : object
