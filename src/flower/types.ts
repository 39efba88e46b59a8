// What a node takes, gives and tells: the types that users see. They know nothing of protobuf.

import type { AsyncDisposes } from '../disposable.ts'
import type { AnyNDArray } from '../io/dtypes.ts'
import type { StoredArray } from '../io/npy.ts'

/** Whole numbers come as number where that is exact, else as bigint; a number goes out as Python's float, a bigint as its
 *  int. */
export type MetricValue = number | bigint | readonly number[] | readonly bigint[]

export type ConfigValue =
  | MetricValue
  | boolean
  | string
  | Uint8Array
  | readonly boolean[]
  | readonly string[]
  | readonly Uint8Array[]

/** Arrays by name: a state dict. */
export type ArrayRecord = Record<string, AnyNDArray>
export type MetricRecord = Record<string, MetricValue>
export type ConfigRecord = Record<string, ConfigValue>

/** A record with its kind, as messages with several of one kind have them. */
export type FlowerRecord =
  | { kind: 'arrays'; value: ArrayRecord }
  | { kind: 'metrics'; value: MetricRecord }
  | { kind: 'config'; value: ConfigRecord }

/** Arrays as they came, with the type that each had: f64 is read as f32, whole numbers as i32 or u8. */
export type ReceivedArrays = Record<string, StoredArray>

/** Records by their names, as a message carries them. */
export type ReceivedRecords = Record<
  string,
  Exclude<FlowerRecord, { kind: 'arrays' }> | { kind: 'arrays'; value: ReceivedArrays }
>

/** What a handler gives back. Each of `arrays`, `metrics` and `config` becomes a record of that name; `records` are more of
 *  them, under names of their own. */
export interface FlowerReply {
  arrays?: ArrayRecord
  metrics?: MetricRecord
  config?: ConfigRecord
  records?: Record<string, FlowerRecord>
}

/** What happens to a node, for logs; `text` is a sentence. */
export interface FlowerEvent {
  readonly type: 'joined' | 'message' | 'replied' | 'taken' | 'failed' | 'dropped' | 'retry' | 'offline' | 'left'
  readonly text: string
  readonly error?: Error
}

/** What a handler gets. */
export interface FlowerRequest {
  /** `train`, `evaluate` or `query`, or one of them with what the server says after a dot. */
  readonly type: string
  readonly runId: bigint
  readonly messageId: string
  /** When the message expires: milliseconds since 1970. */
  readonly expires: number
  /** The message's only record of arrays, or the one named `arrays`; empty where there is none. */
  readonly arrays: ReceivedArrays
  readonly metrics: MetricRecord
  readonly config: ConfigRecord
  /** All records by name. */
  readonly records: ReceivedRecords
  /** Aborts when the node leaves or the message expires. */
  readonly signal: AbortSignal
}

export type Handler = (request: FlowerRequest) => FlowerReply | Promise<FlowerReply>

/** Handlers by the type of message; `train.name` serves messages of exactly this type, `train` all others that begin so. */
export interface Handlers {
  train?: Handler
  evaluate?: Handler
  query?: Handler
  [type: `${'train' | 'evaluate' | 'query'}.${string}`]: Handler
}

/** A node that is online, as `join` gives it. */
export interface FlowerNode extends AsyncDisposes {
  /** The node's number, for `nodeId` of a later join with the same keys. */
  readonly id: bigint
  /** Settles when the node has left: resolves after leave() or the signal's abort, rejects with what made going on
   *  impossible. */
  readonly done: Promise<void>
  /** What went over the line since it joined. */
  readonly traffic: Traffic
  /** Finishes the message that is under way, waits until the server has taken the reply, and goes offline. */
  leave(options?: LeaveOptions): Promise<void>
}

export interface LeaveOptions {
  /** Milliseconds for which the node waits until the server has taken its last reply. Default 60 000. */
  within?: number | undefined
}

/** What went over the line. */
export interface Traffic {
  readonly requests: number
  /** Bytes of the bodies. */
  readonly sent: number
  readonly received: number
}
