// 5. From features to representations.
//
// A bag of words, x_j = 1 where word j occurs, is a feature vector made by hand. The hidden layer makes features of its
// own, a_i = h(Σ_j w_ij x_j + b_i): a neuron gathers the words that mean the same for the task. We teach a network to
// tell sound proofs from hand-waving ones (proofs.ts has the rules), look for the neuron that gathers "obvious", "clear"
// and "well-known", and ask what else excites it. In the test proofs no key word stands with a claim, or in a sentence,
// that it stood with in training: what is known about a word must come from elsewhere.

import * as Plot from '@observablehq/plot'
import { compile, losses, type NDArray, nn, optim, relu } from 'lanewise'
import { chart } from './figure.ts'
import { accuracy, lesson, percent, table } from './lesson.ts'
import { type Proof, proofs, words } from './proofs.ts'

await lesson('5. From features to representations: the hand-wavy neuron', ({ draw, quick }) => {
  const { train, test } = proofs()
  const vocabulary = [...new Set(train.flatMap(({ text }) => words(text)))].sort()
  const bag = (list: Proof[]): NDArray => ({
    shape: [list.length, vocabulary.length],
    data: Float32Array.from(list.flatMap(({ text }) => vocabulary.map((word) => Number(words(text).includes(word))))),
  })
  const labels = (list: Proof[]): NDArray => ({
    shape: [list.length],
    data: Int32Array.from(list, ({ label }) => label),
  })
  console.log(`${train.length} proofs to learn from, ${test.length} to test, ${vocabulary.length} words; for example`)
  for (const { text, label } of [test[0]!, test.at(-1)!]) console.log(`  ${label ? 'hand-waving' : 'sound'}: ${text}`)

  const hidden = new nn.Linear(vocabulary.length, 6)
  const output = new nn.Linear(6, 2)
  const optimizer = new optim.AdamW([...hidden.parameters(), ...output.parameters()], { lr: 0.01, weightDecay: 0.1 })
  const step = compile((x, y) => {
    const loss = losses.crossEntropy(output.forward(relu(hidden.forward(x))), y)
    optimizer.minimize(loss)
    return loss
  })
  const [x, y] = [bag(train), labels(train)]
  for (let i = 0; i < (quick ? 300 : 1000); i++) step(x, y)
  const right = (list: Proof[]) => accuracy(output.forward(relu(hidden.forward(bag(list)))), labels(list).data)
  console.log(`accuracy ${percent(right(train))} in training, ${percent(right(test))} on test proofs\n`)

  // Of the neurons that speak for hand-waving, the one that the three words excite most.
  const w = hidden.weight.tolist() as number[][]
  const v = output.weight.tolist() as number[][]
  const named = ['obvious', 'clear', 'well-known']
  const gathers = w.map((row, i) => {
    const heard = named.reduce((sum, word) => sum + row[vocabulary.indexOf(word)]!, 0)
    return heard * Math.max(0, v[1]![i]! - v[0]![i]!)
  })
  const neuron = gathers.indexOf(Math.max(...gathers))
  const excited = vocabulary.map((word, j) => ({ word, weight: w[neuron]![j]! })).sort((a, b) => b.weight - a.weight)
  console.log(`neuron ${neuron + 1} gathers ${named.join(', ')}; words that excite it most, and that silence it:`)
  table(
    excited
      .slice(0, 9)
      .map((top, i) => ({ ...top, 'silenced by': excited.at(-1 - i)!.word, by: excited.at(-1 - i)!.weight })),
  )

  const activity = relu(hidden.forward(bag(test))).tolist() as number[][]
  const dots = test.map(({ label }, i) => ({ activity: activity[i]![neuron]!, kind: label ? 'hand-waving' : 'sound' }))
  const most = dots.map((dot, i) => ({ ...dot, text: test[i]!.text })).sort((a, b) => b.activity - a.activity)
  console.log(`\nit is loudest at: "${most[0]!.text}"`)
  const shown = excited.filter(({ word }, i) => i < 10 || named.includes(word) || i >= excited.length - 6)
  draw(
    'One hidden neuron gathers the words of hand-waving, and is silenced by those of methods',
    chart('weights into the neuron: the ten largest, the three words (red), the six smallest', {
      marginLeft: 110,
      height: 340,
      x: { label: 'weight', grid: true },
      y: { label: null },
      marks: [
        Plot.barX(shown, {
          ...{ x: 'weight', y: 'word', sort: { y: '-x' } },
          fill: ({ word }) => (named.includes(word) ? 'crimson' : '#bbb'),
        }),
        Plot.ruleX([0]),
      ],
    }),
    chart('its activity at the test proofs (a dot each)', {
      marginLeft: 80,
      height: 340,
      x: { label: 'activity a of the neuron', grid: true },
      y: { label: null },
      marks: [Plot.dot(dots, Plot.dodgeY('middle', { fy: 'kind', x: 'activity', fill: 'kind', r: 3 }))],
      fy: { label: null },
    }),
  )
  return `${percent(right(test))} of ${test.length} unseen proofs right; the hand-wavy neuron hears ${excited
    .slice(0, 6)
    .map(({ word }) => word)
    .join(', ')}`
})
