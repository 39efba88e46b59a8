// The page: starts the training, draws what comes, and never computes.

import type { NDArray } from 'lanewise'
import { writeSafetensors } from 'lanewise/io'
import { serve, Training } from 'lanewise/worker'
import type { Progress, train } from './training.ts'

const find = <E extends Element>(id: string) => document.querySelector(`#${id}`) as E
const button = (id: string) => find<HTMLButtonElement>(id)
const [state, accuracy, frames] = ['state', 'accuracy', 'frames'].map((id) => find<HTMLOutputElement>(id))
const [curve, digits, motion] = ['curve', 'digits', 'motion'].map((id) => {
  const canvas = find<HTMLCanvasElement>(id)
  return { width: canvas.width, height: canvas.height, context: canvas.getContext('2d') as CanvasRenderingContext2D }
})

const EPOCHS = 50
const STEPS = 100 * EPOCHS

const training = new Training<typeof train>(location.search === '?main' ? await ownThread() : worker())

function worker(): Worker {
  return new Worker(new URL('./train.ts', import.meta.url), { type: 'module' })
}

/** The same training where it should not be: on the thread of the page. */
async function ownThread(): Promise<MessagePort> {
  const { train } = await import('./training.ts')
  const { port1, port2 } = new MessageChannel()
  serve(train, port2)
  return port1
}

let losses: [step: number, loss: number][] = []
let seen: Progress | null = null

async function start(weights?: Record<string, NDArray>) {
  await training.stop()
  losses = []
  const options = { lr: Number(find<HTMLSelectElement>('rate').value), epochs: EPOCHS, ...(weights && { weights }) }
  const end = training.start(options, { onProgress })
  showButtons()
  try {
    const found = await end
    say(`ended after step ${losses.at(-1)?.[0] ?? 0}, ${(100 * (found ?? 0)).toFixed(1)} % of new digits right`)
    document.documentElement.dataset.ended = 'yes'
  } catch (error) {
    say((error as Error).message)
    document.documentElement.dataset.failed = 'yes'
  }
  showButtons()
}

function onProgress(progress: Progress) {
  if ('accuracy' in progress) {
    seen = progress
    return
  }
  const { step, loss, msPerStep } = progress
  losses.push([step, loss])
  say(`step ${step} of ${STEPS}, loss ${loss.toFixed(4)}, ${msPerStep.toFixed(1)} ms a step`)
  document.documentElement.dataset.step = String(step)
}

function say(text: string) {
  if (state) state.value = text
}

function showButtons() {
  const idle = training.state === 'idle'
  button('pause').disabled = button('stop').disabled = idle
  button('continue').disabled = !idle
  button('pause').textContent = training.state === 'paused' ? 'Resume' : 'Pause'
}

button('start').onclick = () => start()
button('stop').onclick = () => training.stop()
button('continue').onclick = async () => start(await training.weights())
button('pause').onclick = async () => {
  if (training.state === 'paused') training.resume()
  else await training.pause()
  showButtons()
}
button('save').onclick = async () => {
  const url = URL.createObjectURL(new Blob([writeSafetensors(await training.weights())]))
  Object.assign(document.createElement('a'), { href: url, download: 'digits.safetensors' }).click()
  URL.revokeObjectURL(url)
}

/** Milliseconds of the frames of the last seconds. */
const times: number[] = []
let last = 0

function frame(now: number) {
  requestAnimationFrame(frame)
  if (last > 0) times.push(now - last)
  last = now
  if (times.length > 300) times.shift()
  const mean = times.reduce((sum, ms) => sum + ms, 0) / times.length
  if (frames && times.length > 0)
    frames.value = `${Math.round(1000 / mean)} a second, the longest took ${Math.round(Math.max(...times))} ms`
  if (motion) drawMotion(motion, now)
  if (curve) drawCurve(curve)
  if (digits && seen && 'accuracy' in seen) {
    drawDigits(digits, seen)
    seen = null
  }
}

type Surface = NonNullable<typeof curve>

/** Moons around a sun: an eye sees every frame that is missing. */
function drawMotion({ context, width, height }: Surface, now: number) {
  context.clearRect(0, 0, width, height)
  for (let i = 0; i < 12; i++) {
    const angle = (now / 1000) * (2.4 - 0.15 * i) + i
    const radius = 20 + 13 * i
    context.beginPath()
    context.arc(width / 2 + radius * Math.cos(angle), height / 2 + radius * Math.sin(angle), 9, 0, 2 * Math.PI)
    context.fillStyle = `hsl(${30 * i} 80% 50%)`
    context.fill()
  }
}

function drawCurve({ context, width, height }: Surface) {
  context.clearRect(0, 0, width, height)
  context.font = '18px system-ui, sans-serif'
  context.fillStyle = context.strokeStyle = '#8889'
  const low = -4
  const y = (loss: number) =>
    20 + ((height - 40) * (0.5 - Math.min(0.5, Math.max(low, Math.log10(loss))))) / (0.5 - low)
  context.lineWidth = 1
  for (let power = 0; power >= low; power--) {
    context.fillText(String(10 ** power), 8, y(10 ** power) - 4)
    context.beginPath()
    context.moveTo(0, y(10 ** power))
    context.lineTo(width, y(10 ** power))
    context.stroke()
  }
  const end = Math.max(500, losses.at(-1)?.[0] ?? 0)
  context.beginPath()
  for (const [step, loss] of losses) context.lineTo((step / end) * width, y(loss))
  context.strokeStyle = 'hsl(212 80% 50%)'
  context.lineWidth = 2
  context.stroke()
}

const thumbnail = new OffscreenCanvas(28, 28).getContext('2d') as OffscreenCanvasRenderingContext2D

function drawDigits({ context, width }: Surface, found: Extract<Progress, { accuracy: number }>) {
  const columns = 6
  const cell = width / columns
  context.clearRect(0, 0, width, width)
  context.font = 'bold 26px system-ui, sans-serif'
  for (const [i, digit] of found.classes.entries()) {
    const image = thumbnail.createImageData(28, 28)
    for (let k = 0; k < 784; k++) image.data.set([110, 110, 110, 255 * (found.images[784 * i + k] as number)], 4 * k)
    thumbnail.putImageData(image, 0, 0)
    const [x, y] = [(i % columns) * cell, Math.floor(i / columns) * cell]
    context.drawImage(thumbnail.canvas, x + 4, y + 4, 60, 60)
    context.fillStyle = digit === i % 10 ? 'hsl(140 60% 40%)' : 'hsl(0 80% 50%)'
    context.fillText(String(digit), x + 70, y + 46)
  }
  if (accuracy) accuracy.value = `${(100 * found.accuracy).toFixed(1)} % of 1000 right`
}

requestAnimationFrame(frame)
start()
