import { createPrivateKey, createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { expect, test } from 'vitest'
import { exportKeys, generateKeys, importKeys, sshPublicKey } from '../../src/flower/index.ts'
import { derSignature, signedHeaders } from '../../src/flower/keys.ts'

test('the public key is PEM to the byte as OpenSSL writes it', async () => {
  const { publicKey } = await generateKeys()
  expect(createPublicKey(publicKey).export({ type: 'spki', format: 'pem' })).toBe(publicKey)
})

test('OpenSSL verifies what the headers sign: the time, by the key that they carry', async () => {
  const keys = await generateKeys()
  // Short and signed r and s occur within so many.
  for (let i = 0; i < 200; i++) {
    const headers = await signedHeaders(keys, 1_800_000_000_000 + i)
    expect(headers['flwr-timestamp']).toMatch(/^2027-01-15T08:00:00\.\d{3}Z$/)
    const pem = Buffer.from(headers['flwr-public-key'] as string, 'base64').toString()
    expect(pem).toBe(keys.publicKey)
    const signature = Buffer.from(headers['flwr-signature'] as string, 'base64')
    expect(verify('sha256', Buffer.from(headers['flwr-timestamp'] as string), pem, signature)).toBe(true)
  }
})

test('integers of DER are as short as they may be, and not negative', () => {
  const half = (...last: number[]): number[] => [...new Array(32 - last.length).fill(0), ...last]
  expect([...derSignature(Uint8Array.from([...half(0x80), ...half(0x7f, 1)]))]).toEqual([
    ...[0x30, 8],
    ...[0x02, 2, 0, 0x80],
    ...[0x02, 2, 0x7f, 1],
  ])
  expect([...derSignature(Uint8Array.from([...half(), ...half(5)]))]).toEqual([0x30, 6, 2, 1, 0, 2, 1, 5])
})

test('keys go into a file and come back', async () => {
  const keys = await generateKeys({ extractable: true })
  const text = await exportKeys(keys)
  expect(createPrivateKey(text).asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' })
  const back = await importKeys(text)
  expect(back.publicKey).toBe(keys.publicKey)
  expect(await exportKeys(back)).toBe(text)
})

test('a key that OpenSSL made serves too', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const keys = await importKeys(privateKey.export({ type: 'pkcs8', format: 'pem' }) as string)
  expect(keys.publicKey).toBe(publicKey.export({ type: 'spki', format: 'pem' }))
})

test('the line for flwr supernode register is that of OpenSSH', async () => {
  const keys = await generateKeys()
  const [type, base64] = sshPublicKey(keys).trim().split(' ') as [string, string]
  expect(type).toBe('ecdsa-sha2-nistp256')
  const blob = Buffer.from(base64, 'base64')
  const parts: Buffer[] = []
  for (let at = 0; at < blob.length; at += 4 + blob.readUInt32BE(at))
    parts.push(blob.subarray(at + 4, at + 4 + blob.readUInt32BE(at)))
  expect(parts.slice(0, 2).map(String)).toEqual(['ecdsa-sha2-nistp256', 'nistp256'])
  const { x, y } = createPublicKey(keys.publicKey).export({ format: 'jwk' })
  const coordinate = (text: string | undefined): Buffer => Buffer.from(text as string, 'base64url')
  expect(parts[2]).toEqual(Buffer.concat([Buffer.of(4), coordinate(x), coordinate(y)]))
})

test('what is no key is refused', async () => {
  const other = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export({ type: 'pkcs8', format: 'pem' })
  await expect(importKeys(other as string)).rejects.toThrow('importKeys: text holds no private key of the curve P-256')
  await expect(importKeys('hello')).rejects.toThrow('importKeys: text is no PEM of a private key')
  await expect(exportKeys(await generateKeys())).rejects.toThrow('exportKeys: the key is not extractable')
  await expect(exportKeys({} as never)).rejects.toThrow('exportKeys: keys is Object, expected what generateKeys')
  await expect(generateKeys({ extractable: 1 as never })).rejects.toThrow('extractable is 1, expected true or false')
})
