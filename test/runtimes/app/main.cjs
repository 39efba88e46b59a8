// The suite by require, which takes ES modules from Node 22 on.

const { Worker } = require('node:worker_threads')
const { compile, init } = require('lanewise')
const { smoke } = require('./smoke.js')

if (typeof init !== 'function' || typeof compile !== 'function') throw new Error('require: not the package')
const startWorker = () => new Worker(`${__dirname}/process-worker.mjs`)
smoke({ startWorker }).then((report) => console.log(JSON.stringify(report)))
