// The key that a node is known by: ECDSA over P-256 with SHA-256, the one pair that every WebCrypto has.

import { check, type Kind, kind, settle } from '../checks.ts'

/** What a node is known by. Structured cloning keeps it, so IndexedDB can store it as it is. */
export interface NodeKeys {
  readonly privateKey: CryptoKey
  /** PEM of the public key's SubjectPublicKeyInfo, to the byte as the SuperLink compares it. */
  readonly publicKey: string
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' } as const
const SIGNATURE = { name: 'ECDSA', hash: 'SHA-256' } as const
/** Bytes of an SPKI of this curve before the point: 4, x, y. */
const POINT = 26

/** A new key. `extractable`: whether exportKeys may write it into a file; default false, for pages that keep it in
 *  IndexedDB, where no script can read it out. */
export async function generateKeys(options: { extractable?: boolean | undefined } = {}): Promise<NodeKeys> {
  const { extractable } = settle('generateKeys', options, { extractable: false })
  const { privateKey, publicKey } = await crypto.subtle.generateKey(ALGORITHM, extractable, ['sign', 'verify'])
  return { privateKey, publicKey: pem('PUBLIC KEY', new Uint8Array(await crypto.subtle.exportKey('spki', publicKey))) }
}

/** The private key as PEM text (PKCS #8), for a file that only this node's user may read. */
export async function exportKeys(keys: NodeKeys): Promise<string> {
  check('exportKeys', 'keys', keys, nodeKeys)
  if (!keys.privateKey.extractable)
    throw new TypeError('exportKeys: the key is not extractable; make it by generateKeys({ extractable: true })')
  return pem('PRIVATE KEY', new Uint8Array(await crypto.subtle.exportKey('pkcs8', keys.privateKey)))
}

/** A key from what exportKeys gave, or from any PKCS #8 PEM of a P-256 key. */
export async function importKeys(text: string): Promise<NodeKeys> {
  const base64 = /-----BEGIN PRIVATE KEY-----([\s\S]+?)-----END PRIVATE KEY-----/.exec(String(text))?.[1]
  if (!base64) throw new TypeError('importKeys: text is no PEM of a private key, expected what exportKeys gave')
  try {
    const bytes = Uint8Array.from(atob(base64.replaceAll(/\s/g, '')), (c) => c.charCodeAt(0))
    const privateKey = await crypto.subtle.importKey('pkcs8', bytes, ALGORITHM, true, ['sign'])
    const { d: _, key_ops: __, ...jwk } = await crypto.subtle.exportKey('jwk', privateKey)
    const publicKey = await crypto.subtle.importKey('jwk', jwk, ALGORITHM, true, ['verify'])
    return {
      privateKey,
      publicKey: pem('PUBLIC KEY', new Uint8Array(await crypto.subtle.exportKey('spki', publicKey))),
    }
  } catch (cause) {
    throw new TypeError('importKeys: text holds no private key of the curve P-256', { cause })
  }
}

/** The line that `flwr supernode register` takes as a file, for a SuperLink with --enable-supernode-auth. */
export function sshPublicKey(keys: NodeKeys): string {
  check('sshPublicKey', 'keys', keys, nodeKeys)
  const spki = Uint8Array.from(atob(keys.publicKey.replaceAll(/-----[^-]+-----|\s/g, '')), (c) => c.charCodeAt(0))
  const parts = ['ecdsa-sha2-nistp256', 'nistp256'].map((text) => new TextEncoder().encode(text))
  const bytes = [...parts, spki.subarray(POINT)].flatMap((part) => [0, 0, 0, part.length, ...part])
  return `ecdsa-sha2-nistp256 ${base64Of(Uint8Array.from(bytes))}\n`
}

/** What generateKeys and importKeys give. */
export const nodeKeys: Kind<NodeKeys> = kind<NodeKeys>(
  'object',
  'what generateKeys or importKeys gave',
  (keys) =>
    keys?.privateKey?.algorithm?.name === ALGORITHM.name &&
    String(keys.publicKey).startsWith('-----BEGIN PUBLIC KEY-----'),
)

/** The headers that tell the SuperLink who asks. The signature is over the time alone and serves for five minutes. */
export async function signedHeaders(keys: NodeKeys, now: number): Promise<Record<string, string>> {
  const timestamp = new Date(now).toISOString()
  const raw = await crypto.subtle.sign(SIGNATURE, keys.privateKey, new TextEncoder().encode(timestamp))
  return {
    'flwr-public-key': btoa(keys.publicKey),
    'flwr-timestamp': timestamp,
    'flwr-signature': base64Of(derSignature(new Uint8Array(raw))),
  }
}

/** WebCrypto's r and s, 32 bytes each, as the DER SEQUENCE of two INTEGERs that OpenSSL reads. */
export function derSignature(raw: Uint8Array): Uint8Array {
  const integers = [raw.subarray(0, raw.length / 2), raw.subarray(raw.length / 2)].flatMap((half) => {
    const first = half.findIndex((byte) => byte !== 0)
    const digits = half.subarray(first < 0 ? half.length - 1 : first)
    // A leading bit would be a sign.
    const bytes = (digits[0] as number) >= 0x80 ? [0, ...digits] : [...digits]
    return [0x02, bytes.length, ...bytes]
  })
  return Uint8Array.from([0x30, integers.length, ...integers])
}

const base64Of = (bytes: Uint8Array): string => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))

/** As OpenSSL and Python write it: lines of 64 characters, a line end at the end. */
function pem(label: string, bytes: Uint8Array): string {
  const lines = base64Of(bytes).match(/.{1,64}/g) as string[]
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}
