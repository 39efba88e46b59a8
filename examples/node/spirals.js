import { nn, uniform } from 'lanewise/node'

export const network = () =>
  new nn.Sequential(new nn.Linear(2, 32), new nn.Tanh(), new nn.Linear(32, 32), new nn.Tanh(), new nn.Linear(32, 2))

/** Points of two arms that turn around each other, [count, 2], and the arm of each, [count]. */
export function spirals(count) {
  const noise = uniform([count, 2], -0.03, 0.03).data()
  const points = new Float32Array(2 * count)
  const arms = Int32Array.from({ length: count }, (_, i) => i % 2)
  for (let i = 0; i < count; i++) {
    const radius = (i + 1) / count
    const angle = 4 * radius + Math.PI * arms[i]
    points[2 * i] = radius * Math.cos(angle) + noise[2 * i]
    points[2 * i + 1] = radius * Math.sin(angle) + noise[2 * i + 1]
  }
  return { points: { data: points, shape: [count, 2] }, arms: { data: arms, shape: [count] } }
}
