// watch.html?{ page, until, times, script, to }: loads `page` in a frame, waits until its root element has what `until` names (a
// data attribute, or one that is below a number), and tells what it shows; `times` times.

const { page, until, below, times = 1, script, to } = JSON.parse(decodeURIComponent(location.search.slice(1)))

async function visit() {
  const frame = document.createElement('iframe')
  frame.style.cssText = 'width: 1000px; height: 900px'
  frame.src = page
  document.body.append(frame)
  const found = () => frame.contentDocument?.documentElement?.dataset[until]
  const there = () => found() !== undefined && (below === undefined || Number(found()) < below)
  while (!there()) await new Promise((wake) => setTimeout(wake, 20))
  const { contentDocument: content, contentWindow: view } = frame
  const more = script && (await (await import(`./${script}.js`)).default(view))
  const shown = {
    ...more,
    text: content.querySelector('output')?.textContent ?? '',
    colours: [...content.querySelectorAll('canvas')].map(coloursOf),
    firstStep: view.performance.getEntriesByName('first step')[0]?.startTime,
    interactive: view.performance.getEntriesByType('navigation')[0]?.domInteractive,
  }
  frame.remove()
  return shown
}

/** How many colours a canvas shows: one, if nothing was drawn. */
function coloursOf(canvas) {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
  return new Set(new Uint32Array(data.buffer)).size
}

async function all() {
  const visits = []
  for (let i = 0; i < times; i++) visits.push(await visit())
  return visits
}

all()
  .catch((error) => String(error))
  .then((visits) => fetch(to, { method: 'POST', mode: 'no-cors', body: JSON.stringify(visits) }))
