// Handlers made of a model and its data.

import { callback, check, finite, type Kind, kind, option, required, settle, unexpected, whole } from '../checks.ts'
import type { Input, Metric, nn, optim, Tensor } from '../index.ts'
import { compile, noGrad, tensor } from '../index.ts'
import { layoutOf, readState, writeState } from './layout.ts'
import { clipUpdate, type PrivacyOptions, privatize, settlePrivacy, systemUniform, type Uniform } from './privacy.ts'
import type { FlowerReply, FlowerRequest, Handlers } from './types.ts'

/** Batches: arrays or tensors, the target last. */
export type Batches = Iterable<readonly Input[]> | AsyncIterable<readonly Input[]>

export interface FederateOptions {
  /** Iterated once for each local epoch: a DataLoader, or anything that gives batches [input, …, target]. */
  train?: Batches | undefined
  /** The same, for `evaluate`; without it the node answers that it evaluates nothing. */
  validation?: Batches | undefined
  /** The mean loss of a batch. */
  loss: (output: Tensor, target: Tensor) => Tensor
  /** Its state is put back to what it is now at the start of each training: rounds share weights alone. */
  optimizer: optim.Optimizer
  /** Output of the model for the inputs of a batch. Default: model.forward(…inputs). */
  forward?: ((...inputs: Tensor[]) => Tensor) | undefined
  /** What `evaluate` reports besides `eval_loss`, by name: { eval_acc: new metrics.Accuracy() }. */
  metrics?: Readonly<Record<string, Metric>> | undefined
  /** Local epochs, where the server's config has no `local-epochs`. Default 1. */
  epochs?: number | undefined
  /** Most local epochs that the server may ask for. Default 100. */
  maxEpochs?: number | undefined
  /** Clip and noise each update on this device, and send nothing else that depends on its data: `num-examples` is 1, there
   *  is no loss, and `evaluate` is refused. */
  privacy?: PrivacyOptions | undefined
}

/** Milliseconds of training after which heartbeats and the page get their turn. */
const TURN = 50

/** Handlers `train`, `evaluate` and `query` for `join` of a model.
 *
 *  `train` takes the server's weights, trains on `train`, and gives the weights, `num-examples` and `train_loss`; `evaluate`
 *  gives `eval_loss`, the metrics and `num-examples`; `query` gives the weights of the model as they are. Weights come and go
 *  by PyTorch's names, or all in one array named `packed`, in the order of the state dict: the reply has the layout of the
 *  request, `query` that of the config's `layout`.
 *
 *  Of the server's config `lr`, `local-epochs`, `proximal-mu` (FedProx: mu/2 · ‖w − w₀‖² is added to the loss) and
 *  `clipping_norm` (the update is clipped to it) are honoured. Refused, with the model as it was: weights of other names,
 *  shapes or types, and such that are not finite. */
export function federate(
  model: nn.Module,
  options: FederateOptions,
): Required<Pick<Handlers, 'train' | 'evaluate' | 'query'>> {
  return handlersOf(model, options, systemUniform())
}

/** `uniform`: where noise comes from; only tests pass another than the system's. */
export function handlersOf(
  model: nn.Module,
  options: FederateOptions,
  uniform: Uniform,
): Required<Pick<Handlers, 'train' | 'evaluate' | 'query'>> {
  const settings = checked(model, options)
  const { loss, optimizer, forward, metrics, privacy } = settings
  const initial = optimizer.stateDict()
  const learned = model.parameters().filter(({ requiresGrad }) => requiresGrad)
  let spent = privacy?.spent ?? 0

  const lossOf = (batch: readonly Tensor[]): [loss: Tensor, output: Tensor] => {
    const output = forward(...batch.slice(0, -1))
    return [loss(output, batch.at(-1) as Tensor), output]
  }
  const step = compile((...batch: Tensor[]) => {
    const [value] = lossOf(batch)
    optimizer.minimize(value)
    return value
  })
  const measure = compile((...batch: Tensor[]) => lossOf(batch))
  const proximal = once(() => {
    const mu = tensor([0])
    const anchors = learned.map((parameter) => parameter.detach().clone())
    const run = compile((...batch: Tensor[]) => {
      const [value] = lossOf(batch)
      const distances = learned.map((parameter, i) =>
        parameter
          .sub(anchors[i] as Tensor)
          .pow(2)
          .sum(),
      )
      const penalty = distances
        .reduce((sum, distance) => sum.add(distance))
        .mul(mu)
        .mul(0.5)
      optimizer.minimize(value.add(penalty.reshape([])))
      return value
    })
    return (value: number) => {
      mu.copyFrom([value])
      for (const [i, anchor] of anchors.entries()) anchor.copyFrom((learned[i] as Tensor).data())
      return run
    }
  })

  const train = async (request: FlowerRequest): Promise<FlowerReply> => {
    if (!settings.train) throw new Error('this node has no training data')
    if (privacy && spent >= privacy.rounds)
      throw new Error(`this device has taken part in ${spent} trainings, all that its privacy allows`)
    const { lr, epochs, mu, clip } = readConfig(request, settings)
    const layout = readState(model, request.arrays)
    const base = model.stateDict()
    optimizer.loadStateDict(initial)
    if (lr !== undefined) optimizer.lr = lr
    const run = mu > 0 ? proximal()(mu) : step
    let sum = 0
    let seen = 0
    try {
      model.train()
      const turns = new Turns(request.signal)
      for (let epoch = 0; epoch < epochs; epoch++)
        for await (const batch of settings.train) {
          const count = samplesIn(batch)
          sum += run(...batch).item() * count
          seen += count
          await turns.next()
        }
      if (seen === 0) throw new Error('the training data has no batches')
      const state = model.stateDict()
      const [values, from] = [floatsOf(state), floatsOf(base)]
      if (!values.every((array) => array.every(Number.isFinite))) throw new Error('the trained weights are not finite')
      if (clip !== undefined) clipUpdate(values, from, clip)
      if (privacy) {
        privatize(values, from, privacy, uniform)
        spent++
        await privacy.onSpent?.(spent)
      }
      return {
        arrays: writeState(state, layout),
        metrics: privacy
          ? { 'num-examples': 1n }
          : { 'num-examples': BigInt(Math.round(seen / epochs)), train_loss: sum / seen },
      }
    } finally {
      // What was learned on private data stays on no model that a query could ask for.
      if (privacy) model.loadStateDict(base)
    }
  }

  const evaluate = async (request: FlowerRequest): Promise<FlowerReply> => {
    if (privacy) throw new Error('this node keeps its metrics to itself: its privacy allows trainings alone')
    if (!settings.validation) throw new Error('this node has no validation data')
    readState(model, request.arrays)
    for (const metric of Object.values(metrics)) metric.reset()
    let sum = 0
    let seen = 0
    const { training } = model
    model.eval()
    try {
      const turns = new Turns(request.signal)
      for await (const batch of settings.validation) {
        const count = samplesIn(batch)
        const [value, output] = noGrad(() => measure(...batch))
        sum += value.item() * count
        seen += count
        for (const metric of Object.values(metrics)) metric.update(output, batch.at(-1) as Input)
        await turns.next()
      }
    } finally {
      model.train(training)
    }
    if (seen === 0) throw new Error('the validation data has no batches')
    const found = Object.entries(metrics).map(([name, metric]) => [name, metric.compute()])
    return { metrics: { 'num-examples': BigInt(seen), eval_loss: sum / seen, ...Object.fromEntries(found) } }
  }

  const query = async ({ config }: FlowerRequest): Promise<FlowerReply> => ({
    arrays: writeState(model.stateDict(), layoutOf(model, config.layout)),
  })

  const busy = exclusive()
  return { train: busy(train), evaluate: busy(evaluate), query: busy(query) }
}

type Settings = ReturnType<typeof checked>

const batches: Kind<Batches> = kind<Batches>(
  'object',
  'a DataLoader, or batches to iterate over',
  (x) => x !== null && (Symbol.iterator in x || Symbol.asyncIterator in x),
)
const minimizer = kind<optim.Optimizer>(
  'object',
  'one of optim that has minimize',
  (x) => typeof x?.minimize === 'function',
)
const metricsByName = kind<Readonly<Record<string, Metric>>>('object', 'metrics by name', (x) => x !== null)
const metric = kind<Metric>('object', 'a metric', (x) => typeof x?.update === 'function')

function checked(model: nn.Module, options: FederateOptions) {
  const caller = 'federate'
  const module = kind<nn.Module>('object', 'a Module of nn', (x) => typeof x?.namedBuffers === 'function')
  check(caller, 'model', model, module)
  const settings = settle(caller, options, {
    train: option(batches),
    validation: option(batches),
    loss: required(callback),
    optimizer: required(minimizer),
    forward: option(callback),
    metrics: option(metricsByName),
    epochs: option(whole(1), 1),
    maxEpochs: option(whole(1), 100),
    privacy: null,
  })
  const { forward = (...inputs: Tensor[]) => model.forward(...inputs) as Tensor, metrics = {} } = settings
  for (const [name, each] of Object.entries(metrics)) {
    check(caller, `metrics.${name}`, each, metric)
    if (name === 'num-examples' || name === 'eval_loss')
      throw new TypeError(`${caller}: metrics may not be named ${name}`)
  }
  const privacy = settings.privacy && settlePrivacy(`${caller}: privacy`, settings.privacy)
  const buffer = privacy && [...model.namedBuffers()].find(([, { persistent }]) => persistent)
  if (buffer)
    throw new TypeError(
      `${caller}: with privacy the model may not have buffers, and ${buffer[0]} is one: statistics of the data would leave ` +
        'without noise; use GroupNorm instead of BatchNorm',
    )
  return { ...settings, forward, metrics, privacy }
}

/** What the server asks for, checked. */
function readConfig({ config }: FlowerRequest, { epochs, maxEpochs }: Settings) {
  const value = <T>(key: string, wanted: Kind<T>): T | undefined => {
    const given: unknown = config[key]
    if (given !== undefined && !wanted.fits(given)) throw unexpected("the server's config", key, given, wanted.expected)
    return given as T | undefined
  }
  return {
    lr: value('lr', positive),
    epochs: value('local-epochs', whole(1, maxEpochs)) ?? epochs,
    mu: value('proximal-mu', finite(0)) ?? 0,
    clip: value('clipping_norm', positive),
  }
}

const positive = finite(Number.MIN_VALUE)

const floatsOf = (state: ReturnType<nn.Module['stateDict']>): Float32Array[] =>
  Object.values(state).flatMap(({ data }) => (data instanceof Float32Array ? [data] : []))

function samplesIn(batch: readonly Input[]): number {
  const count = batch.at(-1)?.shape[0]
  if (batch.length < 2 || count === undefined)
    throw new TypeError('federate: a batch is no list of arrays [input, …, target] with samples along the first axis')
  return count
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | null = null
  return () => {
    made ??= { value: make() }
    return made.value
  }
}

/** Handlers of one model, of which one runs at a time: two nodes must not share it. */
function exclusive() {
  let running = false
  return <A, R>(handler: (argument: A) => Promise<R>) =>
    async (argument: A): Promise<R> => {
      if (running) throw new Error('the model of this node is at work on another message')
      running = true
      try {
        return await handler(argument)
      } finally {
        running = false
      }
    }
}

/** Gives the event loop its turn now and then, by a message to oneself: timers of hidden pages wait for up to a minute. */
class Turns {
  readonly #signal: AbortSignal
  #last = performance.now()

  constructor(signal: AbortSignal) {
    this.#signal = signal
  }

  async next(): Promise<void> {
    this.#signal.throwIfAborted()
    if (performance.now() - this.#last < TURN) return
    await new Promise<void>((resolve) => {
      if (typeof MessageChannel === 'undefined') setTimeout(resolve)
      else {
        const { port1, port2 } = new MessageChannel()
        port1.onmessage = () => {
          port1.close()
          resolve()
        }
        port2.postMessage(null)
      }
    })
    this.#last = performance.now()
    this.#signal.throwIfAborted()
  }
}
