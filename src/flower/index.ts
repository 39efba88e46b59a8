// A node of a Flower federation: it trains where its data is, and sends weights alone.

export { FlowerError, type FlowerFault } from './errors.ts'
export { type Batches, type FederateOptions, federate } from './federate.ts'
export { exportKeys, generateKeys, importKeys, type NodeKeys, sshPublicKey } from './keys.ts'
export { type JoinOptions, join, type VisitOptions, visit } from './node.ts'
export { epsilon, type PrivacyOptions } from './privacy.ts'
export type {
  ArrayRecord,
  ConfigRecord,
  ConfigValue,
  FlowerEvent,
  FlowerNode,
  FlowerRecord,
  FlowerReply,
  FlowerRequest,
  Handler,
  Handlers,
  LeaveOptions,
  MetricRecord,
  MetricValue,
  ReceivedArrays,
  ReceivedRecords,
  Traffic,
} from './types.ts'
