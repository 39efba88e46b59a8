import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { init, nn, optim } from '../../src/index.ts'
import { writeSafetensors } from '../../src/io/index.ts'
import { folderStore, openFile } from '../../src/node/index.ts'
import {
  checkpoints,
  keyValueStore,
  load,
  loadCheckpoint,
  memoryStore,
  type Store,
  saveCheckpoint,
} from '../../src/train/index.ts'
import { long, runs } from '../helpers/long.ts'

beforeAll(() => init())
const folder = mkdtempSync(join(tmpdir(), 'lanewise-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Something with a state of any JSON and arrays. */
const part = (state: unknown = null) => ({
  state,
  stateDict() {
    return this.state
  },
  loadStateDict(next: unknown) {
    this.state = next
  },
})

describe('resume', () => {
  test.each([1, 2])(
    'ends with the bits of a training that never stopped, with %i threads',
    { timeout: 600_000 },
    async (threads) => {
      // Two optimizers and two ways to draw: 4 times as many stopping points.
      const { stdout } = await promisify(execFile)(process.execPath, [
        'test/train/resume.mjs',
        String(threads),
        String(runs(1, 50)),
      ])
      expect(stdout).toMatch(new RegExp(`^${4 * runs(1, 50)} of ${4 * runs(1, 50)} resumed with the same bits`))
      if (long) console.log(stdout)
    },
  )

  test('a process that is killed while it saves leaves a checkpoint that loads', { timeout: 600_000 }, async () => {
    const path = join(folder, 'killed')
    const store = folderStore(path)
    let last = 0
    let swept = 0
    for (let kill = 0; kill < runs(4, 100); kill++) {
      const child = spawn(process.execPath, ['test/train/save.mjs', path], { stdio: ['ignore', 'pipe', 'inherit'] })
      let told = last
      await new Promise<void>((resolve) => {
        child.stdout.on('data', (text) => {
          const lines = String(text).trim().split('\n')
          if (told === last) setTimeout(() => child.kill('SIGKILL'), Math.random() * 60)
          told = Number(lines.at(-1))
        })
        child.on('exit', () => resolve())
      })
      swept += readdirSync(path).filter((name) => name.endsWith('.tmp')).length
      const whole = part()
      const found = await loadCheckpoint(store, { part: whole })
      expect(found?.step).toBeGreaterThanOrEqual(told)
      const { values } = whole.state as { values: Float32Array }
      expect(values.length).toBe(200_000)
      expect(values.every((value) => value === (found?.step ?? 0) % 1000)).toBe(true)
      last = found?.step as number
      await saveCheckpoint(store, { part: whole }, { step: last, score: last % 7, keep: 2 })
      expect(readdirSync(path).filter((name) => name.endsWith('.tmp'))).toEqual([])
    }
    if (long) console.log(`${runs(4, 100)} kills, ${swept} temporaries swept, step ${last}`)
  })
})

describe('checkpoints', () => {
  test('keep any JSON and arrays, to the bit', async () => {
    const arrays = fc.oneof(
      fc.float32Array(),
      fc.float64Array(),
      fc.int32Array(),
      fc.uint32Array(),
      fc.int16Array(),
      fc.uint8Array(),
      fc.bigInt64Array(),
    )
    const leaf = fc.oneof(
      arrays,
      fc.double(),
      fc.string({ unit: 'grapheme' }),
      fc.boolean(),
      fc.constant(null),
      fc.constant(undefined),
      fc.bigInt(),
    )
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.array(tie('tree'), { maxLength: 4 }),
        fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('10', '1', '__proto__', 'a.b')), tie('tree'), {
          maxKeys: 4,
          noNullPrototype: true,
        }),
      ),
    }))
    await fc.assert(
      fc.asyncProperty(tree, async (state) => {
        const store = memoryStore()
        await saveCheckpoint(store, { a: part([state]), b: part([state]) }, { step: 1 })
        const [a, b] = [part(), part()]
        await loadCheckpoint(store, { a, b })
        for (const { state: back } of [a, b]) expect(fc.stringify(back)).toBe(fc.stringify([state]))
      }),
      { numRuns: runs(100, 5000) },
    )
  })

  test('the newest and the best are kept, and found', async () => {
    for (const store of [memoryStore(), folderStore(join(folder, 'kept'))]) {
      const model = part(0)
      for (const [step, score] of [3, 1, 2, 5, 4, 6].entries()) {
        model.state = step
        await saveCheckpoint(store, { model }, { step, score, keep: 2, facts: { epoch: step / 2 } })
      }
      expect((await checkpoints(store)).map(({ step, score }) => [step, score])).toEqual([
        [1, 1],
        [4, 4],
        [5, 6],
      ])
      expect(await loadCheckpoint(store, { model }, { which: 'best' })).toMatchObject({
        step: 1,
        score: 1,
        facts: { epoch: 0.5 },
      })
      expect(model.state).toBe(1)
      expect(await loadCheckpoint(store, { model }, { which: 'best', best: 'max' })).toMatchObject({ step: 5 })
      expect(await loadCheckpoint(store, { model })).toMatchObject({
        name: 'checkpoint-000000005_6.safetensors',
        step: 5,
      })
      await expect(loadCheckpoint(store, { model }, { which: 'other' })).rejects.toThrow(
        /there is no checkpoint 'other', expected one of checkpoint-000000001_1/,
      )
    }
    expect(await loadCheckpoint(memoryStore(), { model: part() })).toBeNull()
  })

  test('what does not fit names part and key, and changes nothing', async () => {
    const make = (width: number) => {
      const model = new nn.Linear(2, width)
      return { model, optimizer: new optim.Adam(model.parameters(), { lr: 0.1 }) }
    }
    const store = memoryStore()
    await saveCheckpoint(store, make(3), { step: 1 })
    const other = make(4)
    const before = JSON.stringify([other.model.stateDict(), other.optimizer.stateDict()])
    await expect(loadCheckpoint(store, other)).rejects.toThrow(
      /^loadCheckpoint: checkpoint-000000001.safetensors: part model: loadStateDict: weight has shape \[3, 2\], expected \[4, 2\]/,
    )
    await expect(loadCheckpoint(store, { model: other.model })).rejects.toThrow(/unexpected part optimizer/)
    await expect(loadCheckpoint(store, { ...other, ema: part() })).rejects.toThrow(/missing part ema/)
    // Of the right model, but a part after it that refuses.
    const same = make(3)
    const kept = JSON.stringify(same.model.stateDict())
    const refusing = { ...part(1), loadStateDict: () => { throw new Error('no') } } // biome-ignore format: one line
    await saveCheckpoint(store, { ...make(3), last: part(1) }, { step: 2 })
    await expect(loadCheckpoint(store, { ...same, last: refusing })).rejects.toThrow(/part last: no/)
    expect(JSON.stringify(same.model.stateDict())).toBe(kept)
    expect(JSON.stringify([other.model.stateDict(), other.optimizer.stateDict()])).toBe(before)
  })

  test.each<[string, unknown, RegExp]>([
    ['functions', () => 1, /part is a function, expected JSON and arrays/],
    ['dates', { at: new Date() }, /part.at is Date, expected JSON and arrays/],
    ['typed arrays of no numbers', { x: new DataView(new ArrayBuffer(1)) }, /part.x is .*, expected JSON and arrays/],
    ['promises', Promise.resolve(1), /part is Promise, expected JSON/],
    ['circles', (() => { const a: unknown[] = []; a.push(a); return a })(), /part.0 is nested without end/], // biome-ignore format: one line
  ])('%s are no state', async (_, state, message) => {
    await expect(saveCheckpoint(memoryStore(), { part: part(state) }, { step: 1 })).rejects.toThrow(message)
  })

  test('a save that fails leaves the last good file, and says so', async () => {
    const store = memoryStore()
    await saveCheckpoint(store, { a: part(1) }, { step: 1 })
    const broken: Store = { ...store, write: () => Promise.reject(new Error('no space left')) }
    await expect(saveCheckpoint(broken, { a: part(2) }, { step: 2 })).rejects.toThrow(
      'saveCheckpoint: step 2 was not saved: no space left; the last good checkpoint is checkpoint-000000001.safetensors',
    )
    const a = part()
    await loadCheckpoint(broken, { a })
    expect(a.state).toBe(1)
  })

  test('damaged files, other files, and those of tomorrow are refused', async () => {
    const store = memoryStore()
    await saveCheckpoint(store, { a: part({ x: Float64Array.of(1, 2), y: [1] }) }, { step: 1 })
    const name = 'checkpoint-000000001.safetensors'
    const whole = await store.read(name)
    for (const [bytes, message] of [
      [writeSafetensors({}), /no checkpoint of lanewise/],
      [writeSafetensors({}, { 'lanewise.version': '2' }), /the file has version '2', expected 1; a newer lanewise/],
      [writeSafetensors({}, { 'lanewise.version': '1', 'lanewise.state': '{' }), /lanewise.state is no JSON/],
      [
        writeSafetensors(
          {},
          { 'lanewise.version': '1', 'lanewise.state': '[["a",{"$array":"x","type":"Float32Array"}]]' },
        ),
        /a has no array 'x'/,
      ],
      [whole.slice(0, -3), /the file is damaged/],
      [new Uint8Array(), /the file is damaged/],
    ] as const) {
      await store.write(name, bytes)
      await expect(loadCheckpoint(store, { a: part() })).rejects.toThrow(message)
      await expect(loadCheckpoint(store, { a: part() })).rejects.toThrow(
        /^loadCheckpoint: checkpoint-000000001.safetensors: /,
      )
    }
    for (let i = 0; i < whole.length; i++) {
      const changed = whole.slice()
      ;(changed[i] as number) ^= 1 << (i % 8)
      await store.write(name, changed)
      await loadCheckpoint(store, { a: part() }).catch((error) => {
        expect(error.message, `byte ${i}`).toMatch(/^loadCheckpoint: checkpoint-000000001.safetensors: /)
      })
    }
  })
})

test('keyValueStore cuts files, ends with the list, and sweeps what was left', async () => {
  const values = new Map<string, Uint8Array>()
  let left = Number.POSITIVE_INFINITY
  const store = keyValueStore(
    {
      get: async (key) => values.get(key),
      put: async (key, value) => {
        if (left-- <= 0) throw new Error('gone')
        expect(value.length).toBeLessThanOrEqual(1024)
        values.set(key, value)
      },
      delete: async (key) => values.delete(key),
      list: async (prefix) => [...values.keys()].filter((key) => key.startsWith(prefix)),
    },
    { maxValueBytes: 1024 },
  )
  const a = Uint8Array.from({ length: 5000 }, (_, i) => i)
  const b = a.map((byte) => byte ^ 255)
  await store.write('x', a)
  expect(values.size).toBe(6)
  for (let after = 0; after < 6; after++) {
    left = after
    await expect(store.write('x', b)).rejects.toThrow('gone')
    expect(await store.read('x')).toEqual(a)
  }
  left = Number.POSITIVE_INFINITY
  await store.sweep?.()
  expect(values.size).toBe(6)
  await store.write('x', b)
  expect(await store.read('x')).toEqual(b)
  expect(values.size).toBe(6)
  expect(await store.list()).toEqual(['x'])
  const [key] = [...values.keys()].filter((key) => key.includes('part'))
  values.set(key as string, Uint8Array.of(1))
  await expect(store.read('x')).rejects.toThrow("keyValueStore: 'x' does not match its list of parts, it is damaged")
  await store.delete('x')
  expect(values.size).toBe(0)
  await expect(store.read('x')).rejects.toThrow("there is no 'x'")
})

describe('load', () => {
  const linear = (rows: number, columns: number, start: number) => ({
    weight: { shape: [rows, columns], data: Float32Array.from({ length: rows * columns }, (_, i) => start + i) },
    bias: { shape: [rows], data: new Float32Array(rows).fill(start) },
  })
  const model = () => new nn.Sequential(new nn.Linear(2, 3), new nn.ReLU(), new nn.Linear(3, 1))
  const names = (prefix: string) => {
    const [a, b] = [linear(3, 2, 1), linear(1, 3, 10)]
    return {
      [`${prefix}0.weight`]: a.weight,
      [`${prefix}0.bias`]: a.bias,
      [`${prefix}2.weight`]: b.weight,
      [`${prefix}2.bias`]: b.bias,
    }
  }

  test('takes one file or many, prefixes, other names, halves', async () => {
    const expected = names('')
    const shards = { 'a.safetensors': ['0.weight', '2.bias'], 'b.safetensors': ['0.bias', '2.weight'] }
    for (const [file, keys] of Object.entries(shards))
      writeFileSync(join(folder, file), writeSafetensors(Object.fromEntries(keys.map((key) => [key, expected[key]!]))))
    const map = Object.fromEntries(Object.entries(shards).flatMap(([file, keys]) => keys.map((key) => [key, file])))
    writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map: map }))
    const ways: [Parameters<typeof load>[1], Parameters<typeof load>[2]?][] = [
      [writeSafetensors(expected)],
      [writeSafetensors(expected, {}, { dtype: 'bf16' })],
      [writeSafetensors(names('model.')), { prefix: 'model.' }],
      [writeSafetensors(names('m.')), { rename: (name) => name.replace('m.', '') }],
      [writeSafetensors({ ...names('model.'), extra: linear(1, 1, 0).bias }), { prefix: 'model.' }],
      [openFile(join(folder, 'model.safetensors.index.json'))],
      [new Blob([JSON.stringify({ weight_map: map })]), { open: (name) => openFile(join(folder, name)) }],
    ]
    for (const [source, options] of ways) {
      const own = model()
      const { loaded, missing } = await load(own, source, options)
      expect(loaded.sort()).toEqual(Object.keys(expected).sort())
      expect(missing).toEqual([])
      expect(own.stateDict()).toEqual(expected)
    }
    const partly = model()
    const found = await load(
      partly,
      writeSafetensors({ '0.weight': expected['0.weight']!, other: linear(1, 1, 0).bias }),
      { strict: false },
    )
    expect(found).toEqual({ loaded: ['0.weight'], missing: ['0.bias', '2.weight', '2.bias'], unexpected: ['other'] })
  })

  test.each<[string, Parameters<typeof load>[1], Parameters<typeof load>[2], RegExp]>([
    [
      'names that are left',
      writeSafetensors({ ...names(''), x: linear(1, 1, 0).bias }),
      {},
      /^load: unexpected x; strict: false leaves them/,
    ],
    ['names that are missing', writeSafetensors({ '0.bias': linear(3, 2, 1).bias }), {}, /missing 0.weight \[3, 2\]/],
    [
      'other shapes',
      writeSafetensors({ ...names(''), '2.bias': linear(2, 2, 0).bias }),
      {},
      /2.bias has shape \[2\], expected \[1\]/,
    ],
    [
      'two names for one',
      writeSafetensors({ ...names(''), ...names('m.') }),
      { rename: (name) => name.replace('m.', '') },
      /^load: (m\.)?0.bias and (m\.)?0.bias both become 0.bias/,
    ],
    [
      'an index without files',
      new Blob(['{"weight_map":{"0.bias":"a"}}']),
      {},
      /^load: the index names a, which open: \(name\) => source must open/,
    ],
    [
      'paths out of the folder',
      new Blob(['{"weight_map":{"0.bias":"../a"}}']),
      { open: () => new Uint8Array() },
      /expected files beside it/,
    ],
    ['other JSON', new Blob(['{"a": 1}']), {}, /^load: the file is neither safetensors nor an index/],
    ['no file', new Uint8Array(), {}, /the file has 0 bytes/],
  ])('refuses %s, and leaves the model as it was', async (_, source, options, message) => {
    const own = model()
    const before = JSON.stringify(own.stateDict())
    await expect(load(own, source, options)).rejects.toThrow(message)
    expect(JSON.stringify(own.stateDict())).toBe(before)
  })
})
