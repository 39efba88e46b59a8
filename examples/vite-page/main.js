// The page: starts the worker, draws what it posts.

const field = document.querySelector('#field')
const curve = document.querySelector('#curve')
const state = document.querySelector('#state')
const rate = document.querySelector('#rate')
const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })

let data = null
let losses = []
let steps = 1

function start() {
  losses = []
  worker.postMessage({ rate: Number(rate.value) })
}

worker.onmessage = ({ data: message }) => {
  if (message.error) {
    fail(message.error)
    return
  }
  if (message.points) {
    data = message
    losses = []
    return
  }
  losses.push(...message.losses)
  steps = message.steps
  state.value = `step ${message.step} of ${message.steps}, loss ${losses.at(-1).toFixed(4)}`
  drawField(message)
  drawCurve()
  if (message.step === message.steps) document.documentElement.dataset.done = 'yes'
}
worker.onerror = ({ message }) => fail(message)

function fail(message) {
  state.value = message
  document.documentElement.dataset.failed = 'yes'
}

function drawField({ field: values, grid }) {
  const context = field.getContext('2d')
  const size = field.width
  const cell = size / grid
  for (const [k, value] of values.entries()) {
    // From one arm's colour over white to the other's.
    const doubt = Math.round(100 - 42 * Math.abs(2 * value - 1))
    context.fillStyle = value > 0.5 ? `hsl(28 90% ${doubt}%)` : `hsl(212 80% ${doubt}%)`
    context.fillRect((k % grid) * cell, Math.floor(k / grid) * cell, cell + 1, cell + 1)
  }
  for (const [i, arm] of data.arms.entries()) {
    context.beginPath()
    const place = (v) => ((v + 1.1) / 2.2) * size
    context.arc(place(data.points[2 * i]), place(data.points[2 * i + 1]), 4, 0, 2 * Math.PI)
    context.fillStyle = arm ? 'hsl(22 90% 35%)' : 'hsl(216 80% 35%)'
    context.fill()
  }
}

function drawCurve() {
  const context = curve.getContext('2d')
  const { width, height } = curve
  const style = getComputedStyle(curve)
  context.clearRect(0, 0, width, height)
  context.font = '20px system-ui, sans-serif'
  context.fillStyle = style.color
  const low = -4
  const y = (loss) => 20 + ((height - 40) * -Math.min(0, Math.max(low, Math.log10(loss)))) / -low
  context.strokeStyle = '#8886'
  context.lineWidth = 1
  for (let power = 0; power >= low; power--) {
    context.fillText(String(10 ** power), 8, y(10 ** power) - 4)
    context.beginPath()
    context.moveTo(0, y(10 ** power))
    context.lineTo(width, y(10 ** power))
    context.stroke()
  }
  context.beginPath()
  for (const [i, loss] of losses.entries()) context.lineTo((i / steps) * width, y(loss))
  context.strokeStyle = 'hsl(212 80% 50%)'
  context.lineWidth = 3
  context.stroke()
}

document.querySelector('#again').onclick = start
rate.onchange = start
start()
