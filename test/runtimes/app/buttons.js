// Presses the buttons of examples/worker, and tells what came of it.

const wait = (ms) => new Promise((wake) => setTimeout(wake, ms))

export default async function buttons(view) {
  const { document } = view
  const button = (id) => document.querySelector(`#${id}`)
  const until = async (holds) => {
    while (!holds()) await wait(10)
  }
  const step = () => Number(document.documentElement.dataset.step)
  const text = () => document.querySelector('#state').value
  const loss = () => Number(text().match(/loss ([\d.]+)/)?.[1])
  const begun = async () => {
    document.documentElement.dataset.step = 0
    await until(() => step() > 0)
    return { loss: loss() }
  }

  await until(() => step() >= 40)
  button('pause').click()
  await until(() => button('pause').textContent === 'Resume')
  const paused = step()
  await wait(300)
  const found = { paused, while: step() }
  view.URL.createObjectURL = (blob) => {
    found.saved = blob.size
    return '#'
  }
  button('save').click()
  await until(() => found.saved > 0)
  button('pause').click()
  await until(() => step() > paused + 20)
  found.resumed = step()
  button('stop').click()
  await until(() => text().startsWith('ended'))
  found.stopped = text()
  button('continue').click()
  found.continued = await begun()
  button('start').click()
  await until(() => text().startsWith('ended'))
  found.again = await begun()
  await until(() => step() > 25)
  await wait(100)
  return found
}
