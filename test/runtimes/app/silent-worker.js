// A Worker that never calls serve.

setInterval(() => {}, 1000)
