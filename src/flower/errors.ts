/** Why something of a federation failed:
 *  `unreachable` no answer, or none that counts: may be tried again; `clock` the SuperLink refuses the time of this machine;
 *  `unauthorized` it does not know the key or the node; `key` the key is in use, was used up, or must be registered first;
 *  `refused` it did not take a reply; `ended` the run is over; `corrupt` bytes are not what their hash or shape says;
 *  `limit` more bytes than allowed; `protocol` something else than a SuperLink answers; `left` the node has left. */
export type FlowerFault =
  | 'unreachable'
  | 'clock'
  | 'unauthorized'
  | 'key'
  | 'refused'
  | 'ended'
  | 'corrupt'
  | 'limit'
  | 'protocol'
  | 'left'

export class FlowerError extends Error {
  readonly code: FlowerFault

  constructor(code: FlowerFault, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'FlowerError'
    this.code = code
  }
}

export const isFault = (error: unknown, code: FlowerFault): boolean =>
  error instanceof FlowerError && error.code === code
