// Linear and logistic regression by what is known of their minimum, without gradient descent.

import { callback, finite, kindOf, option, settle, whole } from '../checks.ts'
import { exp, FLOAT_EPSILON, log, square } from '../math.ts'
import { normalEquations } from '../ops/solve.ts'
import { show } from '../tensor/shape.ts'
import { Tensor, tensor } from '../tensor/tensor.ts'
import { isNDArray, isTypedArray, type NDArray, type TypedArray } from '../tensor/types.ts'
import { centred, leastNorm, type Matrix, matrix, means, row, samples, transposed } from './matrix.ts'

/** F(x) = x W + b.  weight: [d, k]; bias: [k]. */
export interface LinearFit {
  weight: Tensor
  /** Zeros where no bias was wanted. */
  bias: Tensor
}

export interface LeastSquaresOptions {
  /** Whether b is fitted; default true. It is not penalised. */
  bias?: boolean | undefined
  /** Added to the squares: ridge ‖W‖²; default 0. */
  ridge?: number | undefined
  /** A column of x counts as given by the others when they leave over less than this share of its length; default
   *  2^-22, a few roundings of float32. */
  rcond?: number | undefined
  /** Hears that W is not unique; default console.warn. */
  warn?: ((message: string) => void) | undefined
}

export interface LeastSquares extends LinearFit {
  /** Of the columns of x, centred when b is fitted; below d the answer is the one of least ‖W‖. */
  rank: number
  /** How it was found. */
  method: 'cholesky' | 'qr'
}

/** Below this share of a column left over by the others, in squares, Cholesky's W may be off by more than float32
 *  shows: its relative error is about 2^-52 over this. */
const WELL_CONDITIONED = 1e-7

/** The W, b of least Σ ‖y_i - x_i W - b‖² + ridge ‖W‖², in closed form: W = (XᵀX + ridge I)⁻¹ XᵀY over centred columns.
 *
 *  x: [n, d]; y: [n, k]; weight: [d, k]; bias: [k]. Cholesky's factors of XᵀX in f64 in the core; Householder's QR of X
 *  with column pivoting where XᵀX is ill-conditioned. Where columns depend on each other the answer is the one of least
 *  norm, and `warn` is called with the rank. O(n d²) time. No gradient; call it outside of compile.
 *  Throws when sizes do not fit, or an element is not finite. numpy.linalg.lstsq. */
export function leastSquares(
  x: Tensor | NDArray,
  y: Tensor | NDArray,
  options: LeastSquaresOptions = {},
): LeastSquares {
  const op = 'leastSquares'
  const {
    bias: wantsBias,
    ridge,
    rcond,
    warn,
  } = settle(op, options, {
    ridge: option(finite(0), 0),
    rcond: option(finite(0), 2 * FLOAT_EPSILON),
    warn: option(callback, (text: string) => console.warn(text)),
    bias: true,
  })
  const a = samples(op, 'x', x)
  const b = samples(op, 'y', y)
  if (a.rows !== b.rows)
    throw new RangeError(`${op}: y has ${b.rows} rows, expected ${a.rows}, one for each sample of x ${show(x.shape)}`)

  const f32 = ({ rows, columns, data }: Matrix) => ({ shape: [rows, columns], data: Float32Array.from(data) })
  const fit = normalEquations(f32(a), f32(b), wantsBias, ridge)
  const zeros = () => tensor(new Float32Array(b.columns))
  if (fit.unexplained.item() > Math.max(WELL_CONDITIONED, rcond * rcond) && fit.weight.data().every(Number.isFinite))
    return { weight: fit.weight, bias: fit.bias ?? zeros(), rank: a.columns, method: 'cholesky' }

  const [meanX, meanY] = wantsBias ? [means(a), means(b)] : [new Float64Array(a.columns), new Float64Array(b.columns)]
  const [cx, cy] = [centred(a, meanX), centred(b, meanY)]
  // ‖Y - X W‖² + ridge ‖W‖² is the square of one longer residual: rows √ridge I below X, and 0 below Y.
  const below = ridge > 0 ? a.columns : 0
  const extended = (m: Matrix, diagonal: number): Matrix =>
    matrix(m.rows + below, m.columns, (i, j) =>
      i < m.rows ? (m.data[i * m.columns + j] as number) : i - m.rows === j ? diagonal : 0,
    )
  const { solution, rank } = leastNorm(extended(cx, Math.sqrt(ridge)), extended(cy, 0), rcond)
  if (rank < a.columns)
    warn(
      `${op}: XᵀX is singular: x ${show(x.shape)} has rank ${rank}${wantsBias ? ' (its columns centred)' : ''}, ${a.columns} is needed for a unique answer; this is the one of least norm. Leave out columns that others give, bring more samples, or pass { ridge }`,
    )
  const bias = meanY.map((m, c) =>
    meanX.reduce((sum, mx, i) => sum - mx * (solution.data[i * b.columns + c] as number), m),
  )
  return {
    weight: tensor(Float32Array.from(solution.data), { shape: [a.columns, b.columns] }),
    bias: tensor(Float32Array.from(bias)),
    rank,
    method: 'qr',
  }
}

/** Newton's matrix is of their number squared. */
const MOST_PARAMETERS = 2000

export interface LogisticRegressionOptions {
  /** Whether b is fitted; default true. It is not penalised. */
  bias?: boolean | undefined
  /** Added to the losses: ridge / 2 ‖W‖²; default 0. 1 / C of scikit-learn. */
  ridge?: number | undefined
  /** Newton's steps at most; default 50. */
  maxIterations?: number | undefined
  /** Hears that the minimum was not reached; default console.warn. */
  warn?: ((message: string) => void) | undefined
}

export interface LogisticRegression extends LinearFit {
  /** Σ_i -ln P(y_i | x_i) + ridge / 2 ‖W‖², before each step and at the end. */
  losses: number[]
  converged: boolean
}

/** The W, b of least Σ_i -ln softmax(x_i W + b)_{y_i} + ridge / 2 ‖W‖², by Newton's method: steps -H⁻¹ g, halved while
 *  the loss does not fall.
 *
 *  x: [n, d]; labels: class indices [n], i32 or u8; weight: [d, classes]; bias: [classes]. A shift of all classes' scores
 *  changes nothing: the scores' parameters sum to 0 over the classes. Where a plane separates the classes and ridge is 0
 *  there is no minimum: `warn` says so. O(n (d classes)²) a step. No gradient; call it outside of compile. */
export function logisticRegression(
  x: Tensor | NDArray,
  labels: Tensor | NDArray | TypedArray,
  options: LogisticRegressionOptions = {},
): LogisticRegression {
  const op = 'logisticRegression'
  const {
    bias: wantsBias,
    ridge,
    maxIterations,
    warn,
  } = settle(op, options, {
    ridge: option(finite(0), 0),
    maxIterations: option(whole(1), 50),
    warn: option(callback, (text: string) => console.warn(text)),
    bias: true,
  })
  const given = samples(op, 'x', x)
  const { rows: n, columns: d } = given
  const { classes, y } = classesOf(op, labels, n)
  const width = d + Number(wantsBias)
  if (width * classes > MOST_PARAMETERS)
    throw new RangeError(
      `${op}: the largest label is ${classes - 1}, and ${classes} classes of ${width} parameters are ${width * classes}, expected at most ${MOST_PARAMETERS}; number the classes from 0 on, or train nn.Linear`,
    )
  // Columns of mean 0 and variance 1, whatever their units: W = V / scale, b = c - mean W, and what the ridge weighs is W.
  const mean = wantsBias ? means(given) : new Float64Array(d)
  const moved = centred(given, mean)
  const scale = means({ ...moved, data: moved.data.map(square) }).map((s) => Math.sqrt(s) || 1)
  const problem: Logistic = {
    a: matrix(n, width, (i, j) => (j < d ? (moved.data[i * d + j] as number) / (scale[j] as number) : 1)),
    y,
    classes,
    ridges: Float64Array.from(
      { length: d * classes },
      (_, at) => ridge / square(scale[Math.floor(at / classes)] as number),
    ),
  }

  let theta = new Float64Array(width * classes)
  let now = lossOf(problem, theta)
  const losses = [now.loss]
  let converged = false
  while (!converged && losses.length <= maxIterations) {
    const { gradient, hessian } = slopes(problem, theta, now.shares)
    const step = leastNorm(hessian, gradient, 1e-12).solution.data
    // What the step would gain if the loss were its parabola: below this there is nothing left to gain.
    const gain = step.reduce((sum, s, at) => sum + (s * (gradient.data[at] as number)) / 2, 0)
    converged = gain <= 1e-12 * (1 + now.loss)
    const ahead = (factor: number) => theta.map((t, at) => t - factor * (step[at] as number))
    let factor = 1
    let next = lossOf(problem, ahead(factor))
    while (!(next.loss < now.loss) && factor > 1e-6) {
      factor /= 2
      next = lossOf(problem, ahead(factor))
    }
    if (!(next.loss < now.loss)) break
    theta = ahead(factor)
    now = next
    losses.push(now.loss)
  }
  const separated = ridge === 0 && now.loss < 1e-6 * n
  if (!converged || separated)
    warn(
      `${op}: ${separated ? 'planes separate the classes, so the loss has no minimum and W grows without end; pass { ridge }' : `no convergence in ${losses.length - 1} steps; raise maxIterations, or pass { ridge }`}`,
    )
  const parameters = centredRows({ rows: width, columns: classes, data: theta })
  for (let j = 0; j < d; j++)
    for (let c = 0; c < classes; c++) {
      const at = j * classes + c
      parameters[at] = (parameters[at] as number) / (scale[j] as number)
      if (wantsBias)
        parameters[d * classes + c] =
          (parameters[d * classes + c] as number) - (mean[j] as number) * (parameters[at] as number)
    }
  const values = Float32Array.from(parameters)
  return {
    weight: tensor(values.slice(0, d * classes), { shape: [d, classes] }),
    bias: tensor(wantsBias ? values.slice(d * classes) : new Float32Array(classes)),
    losses,
    converged: converged && !separated,
  }
}

/** Each row less its mean. */
function centredRows({ columns, data }: Matrix): Float64Array {
  const mean = means(transposed({ rows: data.length / columns, columns, data }))
  return data.map((element, at) => element - (mean[Math.floor(at / columns)] as number))
}

interface Logistic {
  /** Samples [n, width], with a column of ones for the bias. */
  a: Matrix
  y: ArrayLike<number>
  classes: number
  /** Of the parameters [width, classes], from the front: those after them are not penalised. */
  ridges: Float64Array
}

/** The loss, and the probabilities of all classes [n, classes]. */
function lossOf({ a, y, classes, ridges }: Logistic, theta: Float64Array): { loss: number; shares: Matrix } {
  const shares = matrix(a.rows, classes)
  let loss = 0
  for (let i = 0; i < a.rows; i++) {
    const scores = row(shares, i)
    const sample = row(a, i)
    for (let at = 0; at < theta.length; at++) {
      const c = at % classes
      scores[c] = (scores[c] as number) + (sample[(at - c) / classes] as number) * (theta[at] as number)
    }
    const most = Math.max(...scores)
    const own = (scores[y[i] as number] as number) - most
    for (let c = 0; c < classes; c++) scores[c] = exp((scores[c] as number) - most)
    const sum = scores.reduce((total, e) => total + e, 0)
    for (let c = 0; c < classes; c++) scores[c] = (scores[c] as number) / sum
    loss += log(sum) - own
  }
  for (let at = 0; at < ridges.length; at++) loss += ((ridges[at] as number) / 2) * square(theta[at] as number)
  return { loss, shares }
}

/** ∂loss/∂θ = Aᵀ (P - Y), and ∂²loss/∂θ∂θ = Σ_i a_i a_iᵀ ⊗ (diag p_i - p_i p_iᵀ), with what the ridge adds. */
function slopes({ a, y, classes, ridges }: Logistic, theta: Float64Array, shares: Matrix) {
  const size = theta.length
  const gradient = matrix(size, 1)
  const hessian = matrix(size, size)
  for (let i = 0; i < a.rows; i++) {
    const sample = row(a, i)
    const p = row(shares, i)
    for (let at = 0; at < size; at++) {
      const c = at % classes
      const input = sample[(at - c) / classes] as number
      gradient.data[at] = (gradient.data[at] as number) + input * ((p[c] as number) - Number(y[i] === c))
      for (let to = 0; to < size; to++) {
        const o = to % classes
        const curve = (p[c] as number) * (Number(c === o) - (p[o] as number))
        const place = at * size + to
        hessian.data[place] = (hessian.data[place] as number) + input * curve * (sample[(to - o) / classes] as number)
      }
    }
  }
  for (let at = 0; at < ridges.length; at++) {
    const ridge = ridges[at] as number
    gradient.data[at] = (gradient.data[at] as number) + ridge * (theta[at] as number)
    hessian.data[at * size + at] = (hessian.data[at * size + at] as number) + ridge
  }
  return { gradient, hessian }
}

/** Class indices [n], and how many classes there are. */
function classesOf(op: string, labels: Tensor | NDArray | TypedArray, n: number): { classes: number; y: TypedArray } {
  if (!isTypedArray(labels) && !(labels instanceof Tensor) && !isNDArray(labels))
    throw new TypeError(
      `${op}: labels are ${kindOf(labels)}, expected class indices in an Int32Array, a Uint8Array, a Tensor or { data, shape }`,
    )
  const y = isTypedArray(labels) ? labels : labels instanceof Tensor ? labels.data() : labels.data
  if (y instanceof Float32Array || y.length !== n)
    throw new TypeError(
      `${op}: labels are ${y.length} ${y instanceof Float32Array ? 'f32' : 'whole'} numbers, expected ${n} class indices of i32 or u8`,
    )
  const bad = y.findIndex((label) => label < 0 || label > 10_000)
  if (bad >= 0) throw new RangeError(`${op}: label ${y[bad]} at ${bad}, expected a class index from 0 to 10000`)
  const classes = 1 + Array.from(y).reduce((most, label) => Math.max(most, label), 0)
  return { classes: Math.max(2, classes), y }
}
