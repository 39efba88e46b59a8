// One request after the other: what is tried again, what is not, and what each answer means.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import {
  PullObjectRequestSchema,
  PullObjectResponseSchema,
  SendNodeHeartbeatRequestSchema,
  SendNodeHeartbeatResponseSchema,
} from '../../src/flower/fleet_pb.ts'
import { generateKeys, join, type NodeKeys, visit } from '../../src/flower/index.ts'
import { inOrder, retrying, Wire } from '../../src/flower/wire.ts'

type Answer = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void

let answer: Answer
let keys: NodeKeys
let url: URL
const server = createServer((request, response) => {
  // A request of the test before may end late.
  const own = answer
  const parts: Buffer[] = []
  request.on('data', (part) => parts.push(part))
  request.on('end', () => own(request, response, Buffer.concat(parts)))
})

beforeAll(async () => {
  keys = await generateKeys()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/bridge`)
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})
beforeEach(() => {
  answer = () => expect.unreachable()
})

const beat = {
  path: 'send-node-heartbeat',
  request: SendNodeHeartbeatRequestSchema,
  response: SendNodeHeartbeatResponseSchema,
}
const object = { path: 'pull-object', request: PullObjectRequestSchema, response: PullObjectResponseSchema }

const wire = (options: object = {}) =>
  new Wire({ superlink: url, keys, fetch: (a, b) => fetch(a, b), clock: Date.now, timeout: 300, ...options })
const asked = (options: object = {}) =>
  wire(options).ask(beat, { node: { nodeId: 2n ** 64n - 1n }, heartbeatInterval: 60 })

const fine = (response: ServerResponse, body: Uint8Array = Buffer.of(8, 1)): void => {
  response.writeHead(200, { 'content-type': 'application/protobuf' }).end(body)
}
const json =
  (status: number, value: object, headers: Record<string, string> = {}): Answer =>
  (_, response) =>
    void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value))

test('sends protobuf under the path of the bridge, signed', async () => {
  let seen: [string | undefined, string | undefined, string | undefined, unknown] | undefined
  answer = ({ method, url, headers }, response, body) => {
    seen = [method, url, headers['content-type'], fromBinary(SendNodeHeartbeatRequestSchema, body).node?.nodeId]
    expect(Object.keys(headers)).toEqual(
      expect.arrayContaining(['flwr-public-key', 'flwr-timestamp', 'flwr-signature']),
    )
    fine(response)
  }
  const own = wire()
  expect((await own.ask(beat, { node: { nodeId: 2n ** 64n - 1n }, heartbeatInterval: 60 })).success).toBe(true)
  expect(seen).toEqual(['POST', '/bridge/v1/fleet/send-node-heartbeat', 'application/protobuf', 2n ** 64n - 1n])
  expect(own.traffic).toEqual({ requests: 1, sent: 22, received: 2 })
})

test.each<[string, Answer, string, RegExp]>([
  [
    '401',
    json(401, { detail: 'Invalid SuperNode authentication' }),
    'unauthorized',
    /does not know this key or this node$/,
  ],
  ['403', json(403, { code: 2007, message: 'Run is finished' }), 'ended', /403 Run is finished; the run is over/],
  ['404', json(404, {}), 'protocol', /404; expected a SuperLink of flwr 1.40 or newer, or a bridge/],
  ['302', json(302, {}, { location: 'http://example.org' }), 'protocol', /302 \(a redirection\); expected a SuperLink/],
  ['400', json(400, { code: 2003, message: 'interval' }), 'protocol', /400 interval/],
  ['412', json(412, { code: 23, message: 'in use' }), 'key', /412 in use/],
  [
    '413',
    (_, response) => void response.writeHead(413).end('<html>'),
    'limit',
    /413; something between refuses a body of 22 bytes/,
  ],
  ['500', json(500, {}), 'unreachable', /500/],
  ['503', json(503, {}), 'unreachable', /503/],
  [
    'a page',
    (_, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
    'protocol',
    /answers 'text\/html', expected application\/protobuf; is it a SuperLink/,
  ],
  [
    'noise',
    (_, response) => fine(response, Buffer.of(255, 255)),
    'unreachable',
    /the answer of 2 bytes is no SendNodeHeartbeatResponse/,
  ],
  ['a cut connection', (request) => void request.socket.destroy(), 'unreachable', /does not answer/],
  ['no answer', () => {}, 'unreachable', /does not answer: nothing came for 300 ms/],
  [
    'half an answer',
    (_, response) => void response.writeHead(200, { 'content-length': 9 }).write('a'),
    'unreachable',
    /nothing came for 300 ms/,
  ],
])('tells %s', async (_, how, code, text) => {
  answer = how
  await expect(asked()).rejects.toMatchObject({ name: 'FlowerError', code, message: expect.stringMatching(text) })
})

test.each([
  [400_000, /clock of this machine is 40\d s ahead of the SuperLink's/],
  [8_000, /clock of this machine is [789] s ahead of/],
  [-400_000, /clock of this machine is (399|400|401) s behind the SuperLink's/],
])('tells a clock that is %i ms off', async (off, text) => {
  answer = json(401, { detail: 'Invalid SuperNode authentication' })
  await expect(asked({ clock: () => Date.now() + off })).rejects.toMatchObject({
    code: 'clock',
    message: expect.stringMatching(text),
  })
})

test('a slow answer has its time as long as bytes come', async () => {
  answer = (_, response) => {
    const content = toBinary(
      PullObjectResponseSchema,
      create(PullObjectResponseSchema, { objectContent: Buffer.alloc(5) }),
    )
    response.writeHead(200, { 'content-type': 'application/protobuf' })
    for (const [i, byte] of content.entries()) setTimeout(() => response.write(Buffer.of(byte)), 150 * (i + 1))
    setTimeout(() => response.end(), 150 * (content.length + 1))
  }
  expect((await wire().ask(object, {})).objectContent.length).toBe(5)
})

test('reads no more than it may, whatever the header claims', async () => {
  answer = (_, response) => void response.writeHead(200, { 'content-length': 2 ** 40 }).flushHeaders()
  await expect(wire().ask(object, {}, { limit: 1000 })).rejects.toMatchObject({ code: 'limit' })
  let sent = 0
  answer = (_, response) => {
    response.writeHead(200, { 'content-type': 'application/protobuf' })
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(1000))) sent += 1000
      if (!response.destroyed) response.once('drain', more)
    }
    more()
  }
  await expect(wire().ask(object, {}, { limit: 100_000 })).rejects.toMatchObject({ code: 'limit' })
  expect(sent).toBeLessThan(20_000_000)
})

test('ends at once when its signal aborts', async () => {
  answer = () => {}
  const signal = AbortSignal.timeout(50)
  await expect(wire({ timeout: 60_000 }).ask(beat, {}, { signal })).rejects.toMatchObject({ name: 'TimeoutError' })
})

test('what may be tried again is, with growing waits, until patience ends', async () => {
  const waits: number[] = []
  let tries = 0
  answer = (_, response) => {
    if (++tries < 3) response.writeHead(503).end()
    else fine(response)
  }
  const retry = (patience: number) => retrying(() => asked(), { patience, onRetry: (_, wait) => waits.push(wait) })
  expect((await retry(10_000)).success).toBe(true)
  expect(waits.length).toBe(2)
  for (const [i, wait] of waits.entries()) {
    expect(wait).toBeGreaterThanOrEqual(250 * 2 ** i)
    expect(wait).toBeLessThanOrEqual(500 * 2 ** i)
  }
  answer = json(503, {})
  await expect(retry(1000)).rejects.toMatchObject({ code: 'unreachable' })
  answer = json(503, {}, { 'retry-after': '1' })
  waits.length = 0
  await expect(retry(1500)).rejects.toThrow()
  expect(waits).toEqual([1000])
  tries = 0
  answer = (_, response) => {
    tries++
    json(401, {})({} as IncomingMessage, response, Buffer.of())
  }
  await expect(retry(10_000)).rejects.toMatchObject({ code: 'unauthorized' })
  expect(tries).toBe(1)
})

test('results come in order, and no more are under way than may be', async () => {
  let under = 0
  let most = 0
  const found: number[] = []
  const get = async (i: number): Promise<number> => {
    most = Math.max(most, ++under)
    await new Promise((done) => setTimeout(done, i % 3))
    under--
    if (i === 17) throw new Error('seventeen')
    return i
  }
  const all = async (n: number): Promise<void> => {
    for await (const i of inOrder(
      Array.from({ length: n }, (_, i) => i),
      3,
      get,
    ))
      found.push(i)
  }
  await all(15)
  expect(found).toEqual(Array.from({ length: 15 }, (_, i) => i))
  expect(most).toBe(3)
  await expect(all(30)).rejects.toThrow('seventeen')
})

const handlers = {}
test.each([
  [{ superlink: 'localhost:8000', handlers }, /join: superlink is 'localhost:8000', expected https/],
  [{ superlink: 'here', handlers }, /join: superlink is 'here', expected an address/],
  [{ superlink: 'http://example.org:8000', handlers }, /plain http to another machine.*insecure: true/],
  [{ superlink: 'http://localhost:8000' }, /join: handlers is undefined, expected an object/],
  [{ superlink: 'http://localhost:8000', handlers: { learn: () => ({}) } }, /join: unknown handler learn/],
  [{ superlink: 'http://localhost:8000', handlers: { train: 1 } }, /join: handlers.train is 1, expected a function/],
  [{ superlink: 'http://localhost:8000', handlers, keys: {} }, /join: keys is Object, expected what generateKeys/],
  [{ superlink: 'http://localhost:8000', handlers, nodeId: 5 }, /join: nodeId is 5, expected the bigint/],
  [
    { superlink: 'http://localhost:8000', handlers, heartbeat: 5 },
    /join: heartbeat is 5, expected a number from 10 to 1800/,
  ],
  [{ superlink: 'http://localhost:8000', handlers, poll: 1 }, /join: poll is 1, expected a number from 100/],
  [{ superlink: 'http://localhost:8000', handlers, parallel: 0 }, /join: parallel is 0/],
  [{ superlink: 'http://localhost:8000', handlers, signal: {} }, /join: signal is Object, expected an AbortSignal/],
  [{ superlink: 'http://localhost:8000', handlers, retries: 3 }, /join: unknown option retries/],
])('join refuses %o', async (options, text) => {
  await expect(join(options as never)).rejects.toThrow(text)
})

test('visit wants keys, which it cannot make anew each time', async () => {
  await expect(visit({ superlink: 'http://localhost:1', handlers } as never)).rejects.toThrow(
    'visit: keys is undefined',
  )
})

test('join gives up where nobody answers, within its patience', async () => {
  const told: string[] = []
  const joining = join({
    superlink: 'http://127.0.0.1:9',
    handlers,
    patience: 1500,
    onEvent: ({ type, text }) => told.push(`${type}: ${text}`),
  })
  await expect(joining).rejects.toMatchObject({
    code: 'unreachable',
    message: expect.stringContaining('http://127.0.0.1:9'),
  })
  expect(told[0]).toMatch(
    /^retry: register-node: http:\/\/127.0.0.1:9 does not answer: .*; register-node again in \d+ ms$/,
  )
})
