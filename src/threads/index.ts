// What init loads where more than one thread is asked for.

export { available, reserve, share } from './shared.ts'
export { Team } from './team.ts'
