// What continuous integration runs: a line each. To add a suite, add its npm script to package.json and a line here.
//
//   npm      the script, which ends with the line `N passed, N failed`; `words` go to it
//   minutes  when it is stopped: ten times what it takes, for machines with other work to do
//   alone    nothing runs beside it: what it measures is time
//   tally    false: its exit code is its one result
//   debian   packages of Debian that it needs
//   folders  folders of the project that have packages of their own (scripts/install.mjs): npm's or Python's
//
// `npm cit` comes first: it installs and builds for all. Others run two at a time, in this order, longest first; then
// those that are alone. Each has a pre-script of its own that builds, which costs nothing when nothing has changed.

const browsers = ['chromium', 'firefox-esr', 'webkit2gtk-driver', 'xvfb', 'xauth']
const runtimes = ['test/runtimes']

export const suites = [
  { npm: 'cit', minutes: 20 },
  { npm: 'test:wide', minutes: 20, folders: ['bench', ...runtimes] },
  { npm: 'bits', minutes: 20, debian: browsers, folders: runtimes },
  { npm: 'test:runtimes', words: ['--untimed'], minutes: 20, debian: browsers, folders: runtimes },
  { npm: 'test:fast', minutes: 20, folders: ['bench', ...runtimes] },
  { npm: 'test:fuzz', minutes: 20, folders: ['examples/chars/text'] },
  { npm: 'test:threads', minutes: 20 },
  { npm: 'size', minutes: 5, tally: false },
  { npm: 'test:runtimes', words: ['--timed'], minutes: 10, alone: true, debian: browsers, folders: runtimes },
  { npm: 'test:pool', minutes: 10, alone: true },
]
