self.onmessage = ({ data }) => Atomics.store(new Int32Array(data), 0, 1)
