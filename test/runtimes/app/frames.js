// What frames a page got while it trained: milliseconds between calls of requestAnimationFrame over some seconds.

const SECONDS = 6

export default async function frames(view) {
  const root = view.document.documentElement
  const from = Number(root.dataset.step)
  const times = await new Promise((done) => {
    const times = []
    let first
    let last
    const frame = (now) => {
      if (last !== undefined) times.push(now - last)
      first ??= now
      last = now
      if (now - first < 1000 * SECONDS) view.requestAnimationFrame(frame)
      else done(times)
    }
    view.requestAnimationFrame(frame)
  })
  return { times, steps: Number(root.dataset.step) - from }
}
