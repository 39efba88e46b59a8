// Records: what JavaScript has, and what Flower's ConfigRecord and MetricRecord hold.

import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { written } from '../checks.ts'
import { FlowerError } from './errors.ts'
import { ConfigRecordSchema, type ConfigRecordValue } from './fleet_pb.ts'
import type { ConfigRecord, ConfigValue } from './types.ts'

const MAX_SINT = 0x7fff_ffff_ffff_ffffn
const MAX_UINT = 0xffff_ffff_ffff_ffffn

type Oneof = ConfigRecordValue['value']

/** What a record's protobuf holds. */
export function readValues(bytes: Uint8Array): ConfigRecord {
  // No prototype: a key may be __proto__.
  const record: ConfigRecord = Object.create(null)
  let items: ReturnType<typeof fromBinary<typeof ConfigRecordSchema>>['items']
  try {
    items = fromBinary(ConfigRecordSchema, bytes).items
  } catch (cause) {
    throw new FlowerError('corrupt', 'a record is no protobuf of keys and values', { cause })
  }
  for (const { key, value } of items) {
    if (key in record) throw new FlowerError('corrupt', `a record has the key ${written(key)} twice`)
    record[key] = readValue(key, value?.value)
  }
  return record
}

function readValue(key: string, value: Oneof | undefined): ConfigValue {
  switch (value?.case) {
    case 'sint64':
    case 'uint64':
      return wholeOf(value.value)
    case 'sintList':
    case 'uintList': {
      const all = value.value.vals.map(wholeOf)
      return all.every((x) => typeof x === 'number') ? all : value.value.vals
    }
    case 'doubleList':
    case 'boolList':
    case 'stringList':
    case 'bytesList':
      return value.value.vals
    case undefined:
      throw new FlowerError('corrupt', `the key ${written(key)} of a record has no value, or one of an unknown type`)
    default:
      return (value as Exclude<typeof value, undefined>).value
  }
}

const wholeOf = (value: bigint): number | bigint => {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

/** The protobuf of a record. `caller` names it in Errors. */
export function writeValues(caller: string, kind: 'metrics' | 'config', record: ConfigRecord): Uint8Array {
  if (typeof record !== 'object' || record === null || Array.isArray(record))
    throw new TypeError(`${caller}: ${kind} are ${written(record)}, expected an object of values by name`)
  const items = Object.entries(record).map(([key, value]) => ({
    key,
    value: { value: writeValue(`${caller}: ${kind}.${key}`, kind, value) },
  }))
  return toBinary(ConfigRecordSchema, create(ConfigRecordSchema, { items }))
}

type Written = Extract<Parameters<typeof create<typeof ConfigRecordSchema>>[1], { items?: unknown }>
type WrittenValue = NonNullable<NonNullable<NonNullable<Written['items']>[number]['value']>['value']>

function writeValue(name: string, kind: 'metrics' | 'config', value: ConfigValue): WrittenValue {
  const fail = (): never => {
    throw new TypeError(
      kind === 'metrics'
        ? `${name} is ${written(value)}, expected a number, a bigint, or a list of one kind of them`
        : `${name} is ${written(value)}, expected a number, bigint, boolean, string, Uint8Array, or a list of one kind of them`,
    )
  }
  const config = kind === 'config'
  if (typeof value === 'number') return { case: 'double', value }
  if (typeof value === 'bigint') return whole(name, [value]) ? { case: 'uint64', value } : { case: 'sint64', value }
  if (typeof value === 'boolean' && config) return { case: 'bool', value }
  if (typeof value === 'string' && config) return { case: 'string', value }
  if (value instanceof Uint8Array && config) return { case: 'bytes', value }
  if (!Array.isArray(value)) return fail()
  const vals = value as never[]
  const all = (test: (x: unknown) => boolean): boolean => vals.every(test)
  if (all((x) => typeof x === 'number')) return { case: 'doubleList', value: { vals } }
  if (all((x) => typeof x === 'bigint'))
    return whole(name, vals) ? { case: 'uintList', value: { vals } } : { case: 'sintList', value: { vals } }
  if (config && all((x) => typeof x === 'boolean')) return { case: 'boolList', value: { vals } }
  if (config && all((x) => typeof x === 'string')) return { case: 'stringList', value: { vals } }
  if (config && all((x) => x instanceof Uint8Array)) return { case: 'bytesList', value: { vals } }
  return fail()
}

/** Whether some of these need all 64 bits for the positive. Throws where one fits in neither type. */
function whole(name: string, values: readonly bigint[]): boolean {
  const unsigned = values.some((x) => x > MAX_SINT)
  if (values.some((x) => x > MAX_UINT || x < (unsigned ? 0n : -MAX_SINT - 1n)))
    throw new RangeError(
      `${name} is ${written(values.length === 1 ? values[0] : values)}, expected integers of 64 bits`,
    )
  return unsigned
}
